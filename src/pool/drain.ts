// Waits until nothing of this process runs on the side being left, without deadlocking on work inside a lease.
import { CutoverError } from '../errors.js'
import type { NestedTurns } from './nested-turns.js'
import { isBusy, waitsForReader } from './pg-internals.js'
import type { Guests } from './guests.js'
import type { Pins } from './pins.js'
import { holdOver } from './refusals.js'
import type { SidePool } from './side-pool.js'
import type { WaitingLine } from './waiting-line.js'

// Failed connects and clients that were released with a statement on the wire emit nothing, hence a slow look as well.
const CHECK_MILLIS = 2
// A lease that has neither sent nor received for this long may be waiting for one of the calls that we hold.
const SILENT_MILLIS = 4
// The calls of a marked pin are known, unless it has lost its async context, which is seldom.
const SILENT_PIN_MILLIS = 100

export interface DrainView {
  readonly pool: SidePool
  readonly line: WaitingLine
  readonly turns: NestedTurns
  readonly pins: Pins
  readonly guests: Guests
  /** False as soon as the hold is over. */
  isCurrent(): boolean
}

/**
 * Resolves when the pool is quiet. Rejects with `ERR_DRAIN_TIMEOUT` naming what is still at work at the deadline, and with
 * `ERR_HOLD_TIMEOUT` where the hold ended meanwhile.
 */
export async function drainPool(view: DrainView, deadlineMillis: number): Promise<void> {
  const { pool } = view
  const outcome = await waitUntilQuiet(view, deadlineMillis)
  if (outcome === 'over') throw holdOver()
  if (outcome === 'quiet') return
  // Only now that it is too late anyway.
  const { describeLease, whoIs } = await import('./server-look.js')
  const guests = view.guests.atWork(pool.side)
  const leases = await whoIs(pool, [...pool.leases(), ...guests.map((client) => pool.lease(client))])
  const pins = view.pins.count(pool.side)
  const named = leases.slice(0, 5).map(describeLease)
  if (pins > 0) named.push(`${pins} pinned operations were not over`)
  throw new CutoverError(
    'ERR_DRAIN_TIMEOUT',
    `${leases.length} clients of this process were still at work on the ${pool.side} side after ` +
      `${deadlineMillis} ms: ${named.join('; ')}`,
    { details: pins > 0 ? { leases, pins } : { leases } },
  )
}

type DrainOutcome = 'quiet' | 'over' | 'late'

function waitUntilQuiet(view: DrainView, deadlineMillis: number): Promise<DrainOutcome> {
  const { pool } = view
  const deadline = performance.now() + deadlineMillis
  let batch = 1
  return new Promise((resolve) => {
    const finish = (outcome: DrainOutcome): void => {
      clearInterval(timer)
      pool.inner.removeListener('release', soon)
      pool.inner.removeListener('remove', soon)
      stopListening()
      resolve(outcome)
    }
    const check = (): boolean => {
      if (!view.isCurrent()) finish('over')
      else if (isQuiet(view)) {
        pool.removeIdleInTransaction()
        finish('quiet')
      } else if (performance.now() >= deadline) finish('late')
      else return false
      return true
    }
    // `release` is emitted before the client is among the idle ones.
    const soon = (): void => void setImmediate(() => check())
    const timer = setInterval(() => {
      if (!check() && looksStuck(view)) batch = admitOldest(view, batch)
    }, CHECK_MILLIS)
    pool.inner.on('release', soon)
    pool.inner.on('remove', soon)
    const stopListening = view.pins.onEnd(soon)
    check()
  })
}

const isQuiet = ({ pool, pins, guests }: DrainView): boolean =>
  pool.isQuiet() && pins.count(pool.side) === 0 && guests.atWork(pool.side).length === 0

/** Every lease is silent, and something waits: perhaps they wait for it, behind a timer that no socket turn shows. */
function looksStuck({ pool, line, turns, pins, guests }: DrainView): boolean {
  if (line.queue.length === 0) return false
  const now = performance.now()
  const leased = [...pool.leased(), ...guests.atWork(pool.side)]
  const pinned = pins.count(pool.side) > 0
  const silentMillis = pins.someUnmarked(pool.side) ? SILENT_MILLIS : SILENT_PIN_MILLIS
  if (pinned && now - pins.changedAt < silentMillis) return false
  return (
    (pinned || leased.length > 0) &&
    leased.every(
      (client) => (!isBusy(client) || waitsForReader(client)) && now - turns.heardAt(client) >= SILENT_MILLIS,
    )
  )
}

/** Not every `connect` is admitted: each opens a further lease with nested calls of its own, and so on for ever. */
function admitOldest({ line, pool }: DrainView, batch: number): number {
  for (let admitted = 0; admitted < batch; admitted++) {
    const entry = line.queue.oldestPerhapsNested()
    if (!entry || !(entry.clientless || pool.hasSlot)) break
    entry.within = null
    line.start(entry, pool)
  }
  return Math.min(batch * 2, 64)
}
