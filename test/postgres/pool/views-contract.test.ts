// Runs what concerns ends and events of the pool contract on a second pool of a migration whose first one was ended.
import { afterAll } from 'vitest'
import { createCutover, memorySource } from '../../../src/index.js'
import { createFixture } from '../../contract/pool/fixture.js'
import { countsContract } from '../../contract/pool/counts.js'
import { endContract } from '../../contract/pool/end.js'
import { eventsContract } from '../../contract/pool/events.js'
import { createTables } from '../../contract/pool/tables.js'
import { freshDatabases } from '../../support/databases.js'

const databases = await freshDatabases()
await createTables(databases.old, 'old')
await createTables(databases.new, 'new')
afterAll(() => databases.drop())

const fixture = createFixture(
  async (config) => {
    const cutover = createCutover({
      name: 'contract',
      old: config,
      new: { connectionString: databases.new },
      source: memorySource('old'),
    })
    await cutover.ready()
    const pool = cutover.createPool()
    await cutover.pool.end()
    return { pool, dispose: () => cutover.end() }
  },
  {
    subject: 'a second pool',
    oldUrl: databases.old,
    newUrl: databases.new,
    behavesLike: 'CutoverPool',
  },
)

endContract(fixture)
eventsContract(fixture)
countsContract(fixture)
