// What a migration offers to the service that runs it.
import type { EventEmitter } from 'node:events'
import type pg from 'pg'
import type { CutoverEvent, EventMap } from '../events.js'
import type { Phase, Side } from '../phase/phases.js'
import type { Listener, Listening } from './listener.js'
import type { Shadow } from './shadowing.js'
import type { Status } from './status.js'
import type { Supervised, SupervisedOptions } from './supervised-part.js'

/** What `advance` may be told besides. */
export interface AdvanceOptions {
  /**
   * `mismatches`: changes the writer although compared reads have differed for real, which is otherwise refused with
   * `ERR_MISMATCH`.
   */
  readonly despite?: 'mismatches' | undefined
}

/** What `pin` may be told besides. */
export interface PinOptions {
  /**
   * `applied`: the pin resolves once the other side has all that was committed on the writer until the end of the work, so
   * also what the work has written. At once in a phase without a mirror. Needs `mirror: 'dual-write'`.
   */
  readonly await?: 'applied' | undefined
}

/** What a pin runs; it is told the side. */
export type Work<T> = (side: Side) => T | PromiseLike<T>

/** One migration in one process. Its events are those of {@link EventMap}. */
export interface Cutover extends EventEmitter<EventMap> {
  readonly name: string
  /** A real `pg.Pool`: use it in place of the application's own. Calls before the phase is known wait for it. */
  readonly pool: pg.Pool
  /**
   * One more `pg.Pool` over the same two databases, for a library that ends the pool it was given: `end()` of it ends it
   * alone. The databases' connections are closed when the last one is ended, `pool` included, or by `cutover.end()`.
   * Throws `ERR_ENDED` after that, and `ERR_OPTION` for options, which are those of `old` and `new`.
   */
  createPool(): pg.Pool
  /**
   * A `pg.Client` for libraries that make clients of their own, such as `new pg.Pool({ Client: cutover.Client })`. Each is
   * a real connection to the side in use and goes to the other side after a change of writer, between two transactions,
   * with the settings, LISTEN and PREPARE of its session. Where it connects to, as whom and with which encryption is said
   * by the options `old` and `new`; an address that the library gives is not looked at, the rest of its config counts.
   * While held, statements outside a transaction wait unless they only read; `connect()` does not. What cannot be taken
   * along (temporary tables, advisory locks, cursors WITH HOLD) ends the client with `ERR_SESSION` as if its server had
   * gone away.
   * `cutover.end()` leaves these connections to the library that made them; their statements fail from then on.
   */
  readonly Client: typeof pg.Client
  /**
   * As `pin(work)`, and with `{ await: 'applied' }` it resolves only when the other side has everything that the work has
   * committed. No connection is held meanwhile, and no change of writer waits for it. After `dualWrite.awaitTimeoutMillis`
   * it rejects with `ERR_NOT_APPLIED`: then the work is done, will be applied, and must not be repeated; what it gave is the
   * error's `result`. Where the work itself rejects, so does the pin, at once. `ERR_OPTION` with another mirror than
   * `dual-write`.
   */
  pin<T>(options: PinOptions, work: Work<T>): Promise<T>
  /**
   * Runs `work` on one side from its beginning to its end, however many calls it makes: no change of writer comes between
   * two of them. `work` is told the side. A pin that begins during a hold waits for its end; a change of writer waits for
   * the pins that began before it, at most `drainTimeoutMillis`. Where this process has to leave a side without a drain,
   * since it met a fence that another process has set, calls made from then on are answered by the other side, and a
   * `warning` event with the code `PINS_LEFT` says so. Resolves and rejects as `work` does; with `ERR_OPTION` if that is no function.
   */
  pin<T>(work: Work<T>): Promise<T>
  /**
   * Listens to a channel of Postgres on whichever side this process is, over one connection of its own for all channels,
   * which keeps the process alive. Resolves when the server will tell of every notification from then on; an outage and an
   * unknown phase are waited for, with a `warning` event of the code `LISTEN` for each outage. What cannot have been heard
   * is told as a `resync`: after a lost connection, and after a move, unless this process made it itself in coordinated
   * mode and heard the other side in time, which is the usual case and leaves no gap. Needs the server itself or a
   * pooler in session mode. Throws `ERR_OPTION` and `ERR_ENDED`.
   */
  listen(channel: string, listener: Listener): Promise<Listening>
  /**
   * Starts a part of the service that has connections or workers of its own, stops it before this process changes the
   * writer, and starts it again on the side where the traffic then is, whatever came of the attempt. Resolves when it has
   * been started for the first time. A hold that the source asks for, or that a fence causes, does not stop it: what it
   * sends through the pool waits with everybody else's. After a move that another process made it is stopped and started
   * on the other side. `end()` stops every part before it ends the pools. Throws `ERR_OPTION` and `ERR_ENDED`.
   */
  supervise(part: SupervisedOptions): Promise<Supervised>
  /** The phase that this process serves by; undefined while none is known. */
  readonly phase: Phase | undefined
  /**
   * Resolves when the phase is known, at once if it is by now. Rejects with `ERR_PHASE_UNKNOWN`, after which calls of the
   * pool are refused until a phase comes; in coordinated mode with the reason why the databases' own rows could not be
   * read. They are read again until they can be, at least every 10 s, and then the calls are served.
   */
  ready(): Promise<void>
  status(): Status
  /**
   * Moves to a phase and, where the writer changes, runs the cutover. Resolves when this process serves by it, with the
   * event of the cutover if there was one. Compared reads that differ for real refuse a move to the new database with
   * `ERR_MISMATCH`, unless `options` say otherwise. Rejects with the reason, and then everything is as it was before, but for
   * `ERR_OPEN_PENDING` and `ERR_IN_DOUBT`, which `recover` or the next look at the rows ends. A way back that could not be
   * made is a `warning` event with the code `ERR_REVERSE`.
   */
  advance(phase: Phase, options?: AdvanceOptions): Promise<CutoverEvent | undefined>
  /**
   * True while new work is held and a `pool.query` of this text would be answered all the same, since it only reads. For
   * libraries' adapters that check a client out for each statement, which waits whatever it is for: they ask first.
   */
  flowsWhileHeld(text: string): boolean
  /** The reads that were compared with the other side's answers. */
  readonly shadow: Shadow
  /** Gives the right to write back to the side it was taken from: from `live` or `rampdown` to `shadow`. */
  rollback(): Promise<CutoverEvent | undefined>
  /**
   * Stops following, ends the pool and closes every connection of the migration. Pools that were handed in stay open.
   * Nothing about the migration is changed in the databases. Idempotent.
   */
  end(): Promise<void>
}
