// Lets one process at a time change a migration. It only saves double work: what makes a change safe is in the rows.
import { hostname } from 'node:os'
import type { Migration } from '../control/migration.js'
import { quoteLiteral } from '../control/names.js'
import { CutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'

export interface CoordinatorLock {
  release(): Promise<void>
}

/** The server gives the lock back where its owner has not been heard of for so long: it has died, or stands still. */
const IDLE_MILLIS = 60_000
const PING_MILLIS = 20_000

/** `application_name` of the owner's session; the rest of it says which process that is. */
const LOCK_APPLICATION = 'pg-cutover coordinator'

const keyOf = (m: Migration): string =>
  `hashtextextended(${quoteLiteral(`pg-cutover: coordinator of ${m.name}`)}, 0)`

/** Takes the lock on the side that writes. Undefined where somebody else has it. */
export async function tryLock(m: Migration, writer: Side): Promise<CoordinatorLock | undefined> {
  const owner = quoteLiteral(`${LOCK_APPLICATION} ${process.pid} ${hostname()}`.slice(0, 63))
  const connection = m.control[writer].fork({
    // A new connection is a new session, which has no lock: whoever has lost it goes on without.
    session: `set idle_session_timeout = ${IDLE_MILLIS}; set application_name = ${owner}`,
  })
  const release = async (): Promise<void> => {
    clearInterval(ping)
    await connection.close()
  }
  const ping = setInterval(() => void connection.run('select').catch(() => {}), PING_MILLIS).unref()
  try {
    const [row] = await connection.run<{ locked: boolean }>(
      `select pg_try_advisory_lock(${keyOf(m)}) as locked`,
    )
    if (row?.locked === true) return { release }
  } catch (error) {
    await release()
    throw error
  }
  await release()
  return undefined
}

/** As {@link tryLock}, but rejects with `ERR_BUSY` and the name of who has it. */
export async function lock(m: Migration, writer: Side): Promise<CoordinatorLock> {
  const taken = await tryLock(m, writer)
  if (taken) return taken
  const owner = await lockOwner(m, writer).catch(() => undefined)
  throw new CutoverError(
    'ERR_BUSY',
    `another coordinator is changing the writer of "${m.name}"${owner === undefined ? '' : `: ${owner}`}`,
  )
}

/** Who has the lock, for messages; undefined where nobody has it. */
export async function lockOwner(m: Migration, writer: Side): Promise<string | undefined> {
  const [row] = await m.control[writer].run<{ owner: string }>(
    `select coalesce(nullif(replace(a.application_name, '${LOCK_APPLICATION} ', 'process '), ''), 'a session') || ' (backend ' || l.pid || ')' as owner
       from pg_locks l left join pg_stat_activity a using (pid)
      where l.locktype = 'advisory' and l.granted and l.objsubid = 1
        and l.database = (select oid from pg_database where datname = current_database())
        and (l.classid::bigint << 32) | l.objid::bigint = ${keyOf(m)}`,
  )
  return row?.owner
}
