// What an application may expect of a pg.Pool holds for one that makes its clients by cutover.Client.
import pg from 'pg'
import { afterAll } from 'vitest'
import { createCutover, memorySource } from '../../../src/index.js'
import { freshDatabases } from '../../support/databases.js'
import { connectContract } from '../../contract/pool/connect.js'
import { errorsContract } from '../../contract/pool/errors.js'
import { createFixture } from '../../contract/pool/fixture.js'
import { queryContract } from '../../contract/pool/query.js'
import { releaseContract } from '../../contract/pool/release.js'
import { sessionsContract } from '../../contract/pool/sessions.js'
import { submittablesContract } from '../../contract/pool/submittables.js'
import { createTables } from '../../contract/pool/tables.js'
import { timeoutsContract } from '../../contract/pool/timeouts.js'
import { valuesContract } from '../../contract/pool/values.js'

const databases = await freshDatabases()
await createTables(databases.old, 'old')
await createTables(databases.new, 'new')

afterAll(() => databases.drop())

const fixture = createFixture(
  // One of each for a pool, since the address is the migration's.
  async (config) => {
    const cutover = createCutover({
      name: 'contract',
      old: config,
      new: { connectionString: databases.new },
      source: memorySource('old'),
      control: false,
      mirror: 'none',
    })
    await cutover.ready()
    const pool = new pg.Pool({ ...config, Client: cutover.Client })
    return { pool, dispose: () => (pool.ending ? Promise.resolve() : pool.end()).then(() => cutover.end()) }
  },
  {
    subject: 'pg.Pool of cutover.Client',
    oldUrl: databases.old,
    newUrl: databases.new,
    behavesLike: 'pg.Pool',
  },
)

connectContract(fixture)
queryContract(fixture)
submittablesContract(fixture)
releaseContract(fixture)
sessionsContract(fixture)
errorsContract(fixture)
valuesContract(fixture)
timeoutsContract(fixture)
