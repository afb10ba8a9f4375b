// What an application may expect of a pg.Pool holds for one that makes its clients by cutover.Client.
import pg from 'pg'
import { connectContract } from '../../contract/pool/connect.js'
import { errorsContract } from '../../contract/pool/errors.js'
import { fixtureOverMigration } from '../../contract/pool/over-migration.js'
import { queryContract } from '../../contract/pool/query.js'
import { releaseContract } from '../../contract/pool/release.js'
import { sessionsContract } from '../../contract/pool/sessions.js'
import { submittablesContract } from '../../contract/pool/submittables.js'
import { timeoutsContract } from '../../contract/pool/timeouts.js'
import { valuesContract } from '../../contract/pool/values.js'

const fixture = await fixtureOverMigration(
  { subject: 'pg.Pool of cutover.Client', behavesLike: 'pg.Pool' },
  (cutover, config) => Promise.resolve(new pg.Pool({ ...config, Client: cutover.Client })),
  (pool) => (pool.ending ? Promise.resolve() : pool.end()),
)

connectContract(fixture)
queryContract(fixture)
submittablesContract(fixture)
releaseContract(fixture)
sessionsContract(fixture)
errorsContract(fixture)
valuesContract(fixture)
timeoutsContract(fixture)
