// One attempt to change the writer: what it knows, the connections it owns, and the bounds that hold for every step.
import type { ControlConnection } from '../control/control-connection.js'
import type { SideRow } from '../control/side-row.js'
import { CutoverError } from '../errors.js'
import type { RelayMember } from '../dual-write/relay-member.js'
import type { MirroredTable } from '../dual-write/tables.js'
import { Barrier } from '../fleet/barrier.js'
import type { Member } from '../fleet/words.js'
import type { ScopedTable } from '../mirror/scope.js'
import { otherSide } from '../phase/phases.js'
import type { Phase, Side } from '../phase/phases.js'
import type { ReleaseReport } from '../pool/gate.js'
import type { LockPolicy } from './lock-policy.js'
import type { Migration } from '../control/migration.js'

/** A hold, by this process's clock and by the clock of the server being left. */
export interface Hold {
  readonly began: number
  /** After it nothing of this attempt is sent any more, save what ends it. */
  readonly ends: number
  /** The server's clock at the end of the hold, never too late; known once the drain has asked. */
  serverEnds?: number
}

export interface Attempt {
  readonly m: Migration
  /** The side being left. */
  readonly from: Side
  /** The side being opened. */
  readonly to: Side
  readonly target: Phase
  /** Obstacles are looked for first. */
  readonly preflight: boolean
  /** Both are this attempt's own: nobody else's slow statement may stand before its steps. */
  readonly left: ControlConnection
  readonly opening: ControlConnection
  /** For the ways out, so that they never queue behind a step that stalls. */
  readonly rescue: Readonly<Record<Side, ControlConnection>>
  epoch: number
  scope: readonly ScopedTable[]
  /** Apply errors of the mirror before the hold. */
  applyErrors: number
  /** How the fence waits for its locks. */
  locks: LockPolicy
  hold?: Hold
  /** `sent` from the moment a fence may stand, whatever became of the answer; `none` once the server has said it failed. */
  fence: 'none' | 'sent' | 'closed'
  /** Where the whole fleet is asked. */
  readonly barrier: Barrier | undefined
  /** By our own clock: not before the fence was closed. */
  fencedAt?: number
  /** Members that have not said that they have stopped, and whose right to serve has run out. */
  silent: readonly Member[]
  /** Where the mirror is by dual-write: the tables of each side, and this attempt's own part in the relay. */
  captured?: Readonly<Record<Side, readonly MirroredTable[]>>
  relay?: RelayMember
  /** The opened side's position that the mirror back starts from. */
  position?: string
  /** Set where somebody else has ended the hold, or the attempt is given up. */
  over: boolean
  /** The row that says `moved`, once it was read or written. */
  moved?: SideRow
  /** The side that this process was let go to. */
  settled?: Side
  /** Called in the turn in which this process is let go to the side that was opened. */
  onMoved?: () => void
  released?: number
  release?: ReleaseReport
  /** Tells what a long step is at. */
  progress(step: string, detail: string): void
}

/**
 * A way out has its own bounds, well inside a few round trips of the end of the lease; and below the hold, so that a
 * process of ours that stalls in a transaction never keeps a row locked for as long as somebody may have to wait for it.
 */
export function rescueConnections(m: Migration): Record<Side, ControlConnection> {
  const statementTimeoutMillis = Math.min(2_000, Math.ceil(m.timings.holdTimeoutMillis * 0.8))
  const bounds = {
    statementTimeoutMillis,
    lockTimeoutMillis: Math.ceil(statementTimeoutMillis * 0.75),
    connectTimeoutMillis: 2_000,
  }
  return { old: m.control.old.fork(bounds), new: m.control.new.fork(bounds) }
}

// Else the first five times of a prepared statement are planned anew, which takes longer than to run it.
const PLANNED_ONCE = 'set plan_cache_mode = force_generic_plan'

export function beginAttempt(m: Migration, from: Side, target: Phase, preflight = true): Attempt {
  const { timings } = m
  const to = otherSide(from)
  return {
    m,
    from,
    to,
    target,
    preflight,
    left: m.control[from].fork({
      statementTimeoutMillis: timings.fenceTimeoutMillis,
      session: PLANNED_ONCE,
    }),
    opening: m.control[to].fork({
      statementTimeoutMillis: timings.decideTimeoutMillis,
      // The only ones that lock its row are our own, and they are sent away.
      lockTimeoutMillis: Math.min(300, timings.decideTimeoutMillis),
      session: PLANNED_ONCE,
    }),
    rescue: rescueConnections(m),
    epoch: 0,
    scope: [],
    applyErrors: 0,
    locks: { mayYield: false, timeoutMillis: timings.fenceTimeoutMillis },
    fence: 'none',
    barrier: m.members === 'barrier' ? new Barrier(m, from) : undefined,
    silent: [],
    over: false,
    progress: (step, detail) =>
      m.events.publish('progress', { name: m.name, step, detail, done: 0, total: 0 }),
  }
}

export async function endAttempt(a: Attempt): Promise<void> {
  a.over = true
  const owned = [
    a.left,
    a.opening,
    a.rescue.old,
    a.rescue.new,
    ...(a.relay ? [a.relay] : []),
    ...(a.barrier ? [a.barrier] : []),
  ]
  await Promise.all(owned.map((one) => one.close()))
}

/** The end of the pause for this process, on whichever side the right to write is. */
export function letGo(a: Attempt, side: Side): void {
  a.release = a.m.gate.release(side)
  a.released = performance.now()
  a.settled = side
  if (side === a.to) a.onMoved?.()
}

/** Throws once the hold is over: asked before each statement of the pause, since a late one would hit resumed traffic. */
export function assertHeld(a: Attempt, step: string): Hold {
  if (a.hold && !a.over && performance.now() < a.hold.ends) return a.hold
  throw new CutoverError(
    'ERR_HOLD_TIMEOUT',
    `the hold of ${a.m.timings.holdTimeoutMillis} ms was over before "${step}"; traffic stays on the ${a.from} database`,
  )
}
