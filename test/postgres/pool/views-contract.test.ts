// Runs what concerns ends and events of the pool contract on a second pool of a migration whose first one was ended.
import { countsContract } from '../../contract/pool/counts.js'
import { endContract } from '../../contract/pool/end.js'
import { eventsContract } from '../../contract/pool/events.js'
import { fixtureOverMigration } from '../../contract/pool/over-migration.js'

const place = { subject: 'a second pool', behavesLike: 'CutoverPool' } as const

const fixture = await fixtureOverMigration(place, async (cutover) => {
  const pool = cutover.createPool()
  await cutover.pool.end()
  return pool
})

endContract(fixture)
eventsContract(fixture)
countsContract(fixture)
