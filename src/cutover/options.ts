// What createCutover takes: every option with its promise, default, unit and error.
import type pg from 'pg'
import type { Phase } from '../phase/phases.js'
import type { Source } from '../phase/source.js'

/** How the control connections are made, and how each server reaches the other one. */
export interface ControlOptions {
  /** Connection to the old database of a role with the rights of a coordinator. Default: as in `old`. */
  readonly old?: pg.ClientConfig | string | undefined
  /** Connection to the new database of a role with the rights of a coordinator. Default: as in `new`. */
  readonly new?: pg.ClientConfig | string | undefined
  /**
   * The libpq connection string by which the *new* server reaches the old one, for its subscription. Default: made of
   * the control connection's own address. Needed when the servers see each other under other names than this process.
   */
  readonly oldReachedBy?: string | undefined
  /** The same for the *old* server reaching the new one. */
  readonly newReachedBy?: string | undefined
}

/** How reads are sampled and compared. The comparison never delays, fails or changes the answer that a caller gets. */
export interface ShadowOptions {
  /** The share of all reads through `pool.query` that is compared, from 0 to 1. Default 0.01. */
  readonly rate?: number | undefined
  /** Each statement is compared this often a minute whatever the rate, so that rare ones are seen too. 0 to 60; default 1. */
  readonly perMinute?: number | undefined
  /** Connections to each side for comparing, and so the comparisons at once. 1 to 20; default 2. */
  readonly max?: number | undefined
  /** An answer that is larger is not compared. Bytes as the server sends them, from 1 KiB to 256 MiB; default 8 MiB. */
  readonly maxBytes?: number | undefined
  /** A statement that takes longer on either side is given up and not compared. Milliseconds; default 2,000. */
  readonly timeoutMillis?: number | undefined
  /** How long the mirror may take to pass before a difference is told from lag. Milliseconds; default 10,000. */
  readonly lagTimeoutMillis?: number | undefined
  /** The relative difference up to which floating-point numbers are equal. 0 to 0.1; default 0. */
  readonly floatTolerance?: number | undefined
  /** Whether the report shows the values of rows that differ. They are your users' values. Default `false`. */
  readonly values?: boolean | undefined
}

/** How `mirror: 'dual-write'` keeps the other side equal. */
export interface DualWriteOptions {
  /**
   * When a write through the pool resolves: `recorded`, once it is committed on the writer and on durable record, or
   * `applied`, once the other side has it too. `cutover.pin({ await: 'applied' }, work)` says so for one piece of work.
   * Default `recorded`.
   */
  readonly await?: 'recorded' | 'applied' | undefined
  /** How long `applied` may take; then `ERR_NOT_APPLIED`. Milliseconds, at most 60,000; default 2,000. */
  readonly awaitTimeoutMillis?: number | undefined
  /**
   * Tables that have another name on the new side: `{ 'public.orders': 'shop.orders' }`, old name to new name, or
   * `{ 'public.*': 'shop.*' }` for all tables of a schema. Default: all have the same name.
   */
  readonly mapped?: Readonly<Record<string, string>> | undefined
  /** Most rows that one transaction writes to the other side. 1 to 50,000; default 2,000. */
  readonly batchRows?: number | undefined
  /** About the most bytes that one such transaction sends. 64 KiB to 256 MiB; default 4 MiB. */
  readonly batchBytes?: number | undefined
  /** Bounds the load on both servers. Rows a second; default: as fast as they go. */
  readonly maxRowsPerSecond?: number | undefined
  /** The same for rows that were there before. Rows a second; default: as fast as the record keeps short. */
  readonly backfillRowsPerSecond?: number | undefined
  /** A `warning` with the code `MIRROR_BEHIND` tells of a change that has waited so long. Milliseconds; default 60,000. */
  readonly alarmAgeMillis?: number | undefined
  /** The same for a record of so many rows. Default 1,000,000. */
  readonly alarmRows?: number | undefined
  /** The same for a record that takes so much of the writer's disk. Bytes; default 1 GiB. */
  readonly alarmBytes?: number | undefined
}

/** What `createCutover` takes. Every key that is not listed here is refused with `ERR_OPTION`. */
export interface CutoverOptions {
  /**
   * The key of everything stored about this migration in both databases; equal in every process of the fleet and for
   * the whole migration. 1 to 63 letters, digits and `_ - . :`. Required; otherwise `ERR_OPTION`.
   */
  readonly name: string
  /**
   * The database that is being left: any `pg.PoolConfig`, or a `pg.Pool` of the same copy of `pg`. A pool handed in
   * stays yours: only `pool.end()` ends it. Required; otherwise `ERR_OPTION`, which never shows the value.
   */
  readonly old: pg.PoolConfig | pg.Pool
  /** The database that is being moved to; as `old`. */
  readonly new: pg.PoolConfig | pg.Pool
  /**
   * Says which phase is wanted. It never moves traffic by being silent, gone or wrong. Required; one that another
   * migration listens to is refused with `ERR_OPTION`.
   */
  readonly source: Source
  /**
   * What keeps the other side equal: `replication`, Postgres' own logical replication; `dual-write`, triggers that record
   * each change and the processes of the facade that write it to the other side; or `none`. Default: `replication` with
   * `control`, `none` without. A mirror without `control` is refused with `ERR_OPTION`.
   */
  readonly mirror?: 'replication' | 'dual-write' | 'none' | undefined
  /** How `mirror: 'dual-write'` does its work; with another mirror refused with `ERR_OPTION`. */
  readonly dualWrite?: DualWriteOptions | undefined
  /**
   * Coordinated mode: the truth is a row on each side and the databases themselves refuse writes on the wrong one.
   * `true` uses the connections of `old` and `new`; an object names connections of a role with more rights. Default
   * `false`: direct mode, in which this process alone holds, drains and flips.
   */
  readonly control?: boolean | ControlOptions | undefined
  /** The tables in scope, each as `schema.table`. Default: every table of the application, on both sides. */
  readonly tables?: readonly string[] | undefined
  /**
   * The phase to serve in direct mode as long as the source has never given one and none is remembered. It is never
   * remembered itself, so that without a `stateFile` every start serves by it until the source speaks: for the time before
   * the first flip, not after it. Default: none, so that queries are refused with `ERR_PHASE_UNKNOWN` until the source speaks.
   */
  readonly fallback?: Phase | undefined
  /**
   * Direct mode: a file that remembers the last phase across restarts, so that a process which starts while the source is
   * silent serves by it at once. Written whole or not at all, also when the process or the machine dies; before a change
   * of writer it names the phase that is moved to. The folder must exist. A file that is there and cannot be believed, or
   * a folder that is not, leaves the phase unknown until the source speaks, and `fallback` does not apply; that and a file
   * that cannot be written are `warning` events with the code `STATE_FILE`, and never stop a move. Each migration needs a
   * file of its own; processes that share one each write it whole, and the last one counts. Default: none. With `control`
   * refused with `ERR_OPTION`, since the databases' rows remember.
   */
  readonly stateFile?: string | undefined
  /**
   * Coordinated mode: a wish of the source runs the whole move by itself; one that fails is shown in `status()` and tried
   * again only when the source has said something else. Default `false`: a wish is only shown there, and `advance()`
   * moves. In direct mode wishes are always followed, and tried again for as long as they stand.
   */
  readonly autoAdvance?: boolean | undefined
  /**
   * How many statements that are known to be reads may run at once on the side in use while new work is held, in read-only
   * sessions of their own; 0 has them wait like everything else. 0 to 100. Default: the `max` of that side's pool, at most 10.
   */
  readonly heldReadsMax?: number | undefined
  /**
   * How sampled reads are compared with the other side's answers in the phases `shadow` and `live`; `false` compares nothing.
   * Default: as in {@link ShadowOptions}.
   */
  readonly shadow?: ShadowOptions | false | undefined
  /**
   * What happens to transactions that are still open at the drain's deadline: `abort` the attempt and leave them alone,
   * or `cancel` them. Default `abort`, which rejects with `ERR_DRAIN_TIMEOUT`.
   */
  readonly onDrainTimeout?: 'abort' | 'cancel' | undefined
  /**
   * Coordinated mode: `barrier` has every process of the fleet hold, drain and answer before the writer changes, so that
   * none fails a call or reads what is old. `fence-only` asks nobody, for fleets too large for that: the fence alone keeps
   * writes on one side, and a process learns of the move by the first write that is refused, or by its next look, a second
   * later at most; until then its reads may be old. Equal in the whole fleet. Default `barrier`.
   */
  readonly members?: 'barrier' | 'fence-only' | undefined
  /** How often a change of writer is tried when an attempt was aborted without a change. 1 to 10. Default 3. */
  readonly attempts?: number | undefined
  /** For everything before the pause of a change of writer, without the initial copy. Milliseconds; default 30,000. */
  readonly prepareTimeoutMillis?: number | undefined
  /**
   * No hold outlives this by more than a few round trips. Milliseconds, at most 10,000; default 5,000. Below about 2,500 a
   * member of the fleet that falls silent in the pause cannot be waited out, so that it costs an attempt (`ERR_MEMBERS`).
   */
  readonly holdTimeoutMillis?: number | undefined
  /** For open transactions to end. Milliseconds, at most the hold; default 2,500. Then see `onDrainTimeout`. */
  readonly drainTimeoutMillis?: number | undefined
  /** For closing the fence. Milliseconds, at most the hold; default 1,500. Then `ERR_FENCE`. */
  readonly fenceTimeoutMillis?: number | undefined
  /** For the other side to have every row. Milliseconds, at most the hold; default 3,000. Then `ERR_CATCH_UP_TIMEOUT`. */
  readonly catchUpTimeoutMillis?: number | undefined
  /**
   * For reads to leave the side that is being left. Milliseconds, at most the hold; default 2,500. In coordinated mode with
   * `members: 'barrier'` at least 2,100, since a process that does not answer is waited out; otherwise `ERR_OPTION`.
   */
  readonly stopReadsTimeoutMillis?: number | undefined
  /** For the statement that is the point of no return. Milliseconds, at most the hold; default 1,000. */
  readonly decideTimeoutMillis?: number | undefined
  /** For enabling the way back, after the pause. Milliseconds; default 30,000. Then `ERR_REVERSE`. */
  readonly reverseTimeoutMillis?: number | undefined
  /** For the initial copy of all rows. Milliseconds; default seven days. Then `ERR_PREPARE`. */
  readonly copyTimeoutMillis?: number | undefined
}
