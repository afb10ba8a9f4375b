// Makes one process at a time the leader of a relay: a lock on the writer saves work, a generation on the other side shuts late writes out.
import type { ControlConnection } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { quoteLiteral } from '../control/names.js'
import type { SideStatus } from '../control/side-row.js'
import type { Side } from '../phase/phases.js'

/** The lock ends with its session: at once where its process dies, after this where the process stands still. */
const IDLE_MILLIS = 3_000
const PING_MILLIS = 1_000
/** Beyond this a server that does not answer is no server to lead by. */
const ANSWER_MILLIS = 5_000

/** Of a relay's connections; a member that is closed waits for no more. */
export const CONNECT_MILLIS = 2_000

/** `led`: the lock is ours. `busy`: another process has it. `rest`: this side is not written to, so nothing is on record. */
export type Candidacy = 'led' | 'busy' | 'rest'

export class Leadership {
  /** A connection to the writer of its own, since its session is the lock. */
  readonly lock: ControlConnection
  readonly #m: Migration
  readonly #from: Side
  #session: string | undefined
  #ping: NodeJS.Timeout | undefined

  constructor(m: Migration, from: Side, session: string) {
    this.#m = m
    this.#from = from
    this.lock = m.control[from].fork({
      statementTimeoutMillis: ANSWER_MILLIS,
      connectTimeoutMillis: CONNECT_MILLIS,
      session: `${session}; set idle_session_timeout = ${IDLE_MILLIS}`,
    })
  }

  /** Whether the lock was held when the server last said so. Nothing may rely on it but the wish to save work. */
  get held(): boolean {
    return this.#session !== undefined
  }

  async tryLock(): Promise<Candidacy> {
    const name = quoteLiteral(this.#m.name)
    const [row] = await this.lock.run<{ status: SideStatus | null; locked: boolean | null; session: string }>(
      // A standby has locks of its own, and its leader would only shut out that of the writer.
      `select status, ${SESSION} as session, case when status in ('writer', 'fenced') and not pg_is_in_recovery()
          then pg_try_advisory_lock(hashtextextended('pg-cutover: relay from ${this.#from} of ' || ${name}, 0)) end as locked
         from (select (select status from cutover.side where name = ${name}) as status) side`,
    )
    const locked = row?.locked ?? undefined
    if (locked === undefined) return 'rest'
    if (!locked) return 'busy'
    this.#session = row?.session
    this.#ping = setInterval(() => void this.#check(), PING_MILLIS).unref()
    return 'led'
  }

  /**
   * Shuts every earlier leader out of the other side and waits for what it has under way there. Undefined where that side
   * is not mirrored to.
   */
  async takeGeneration(there: ControlConnection): Promise<string | undefined> {
    const [row] = await there.run<{ generation: string }>(
      `update cutover.side set relay_generation = relay_generation + 1
        where name = $1 and status in ('mirror', 'moved') returning relay_generation::text as generation`,
      [this.#m.name],
    )
    return row?.generation
  }

  /** Lets others lead. May be called at any time and again. */
  async end(): Promise<void> {
    clearInterval(this.#ping)
    this.#session = undefined
    await this.lock.close()
  }

  // A connection that was lost is opened again by itself, and does not have the lock then.
  async #check(): Promise<void> {
    try {
      const [row] = await this.lock.run<{ session: string }>(`select ${SESSION} as session`)
      if (row?.session !== this.#session) this.#session = undefined
    } catch {
      this.#session = undefined
    }
  }
}

const SESSION = `pg_backend_pid() || ' ' || (select backend_start from pg_stat_get_activity(pg_backend_pid()))`
