// Changes the writer: one loop that runs the table of steps, owns each deadline, and knows both ways out.
import { setTimeout as delay } from 'node:timers/promises'
import type { Migration } from '../control/migration.js'
import { readSide } from '../control/side-row.js'
import { CutoverError, isCutoverError } from '../errors.js'
import type { CutoverEvent, StepEvent } from '../events.js'
import { otherSide } from '../phase/phases.js'
import type { Phase, Side } from '../phase/phases.js'
import { beginAttempt, endAttempt, letGo } from './attempt.js'
import type { Attempt } from './attempt.js'
import { lock } from './coordinator-lock.js'
import { openJournal } from './journal.js'
import type { Journal } from './journal.js'
import { SETTLE_MILLIS, settleAttempt } from './lease.js'
import { STEPS } from './steps.js'
import type { Step } from './steps.js'

export interface ChangeOptions {
  /** Refuse with `ERR_BUSY` where another coordinator is at work. It only saves double work. Default true. */
  readonly lock?: boolean
  /** Look for obstacles before each attempt. Only for a caller that has just looked itself. Default true. */
  readonly preflight?: boolean
  /** Called as soon as traffic goes to the other side, before what is left to do after the pause. Must not throw. */
  readonly onMoved?: () => void
  /** Called where an attempt ends and this process is still held, by a lease that has no connections any more. Must not throw. */
  readonly onLeftHeld?: () => void
}

/**
 * Gives the right to write to `to`. Resolves when traffic is there and the mirror turned round; rejects with everything as
 * it was before, except `ERR_OPEN_PENDING` and `ERR_IN_DOUBT`, which `recover` ends. A fence that met somebody's locks is
 * tried again after a random pause, with traffic flowing meanwhile.
 */
export async function changeWriter(
  m: Migration,
  to: Side,
  target: Phase,
  options: ChangeOptions = {},
): Promise<CutoverEvent> {
  const held = (options.lock ?? true) ? await lock(m, otherSide(to)) : undefined
  try {
    for (let tried = 1; ; tried++) {
      const last = tried >= m.attempts
      try {
        return await runAttempt(m, to, target, options, last)
      } catch (error) {
        if (last || !isWorthAnother(error)) throw error
        await delay(tried * (100 + Math.random() * 400))
      }
    }
  } finally {
    await held?.release()
  }
}

/** Somebody's locks, or a process of the fleet that did not follow: both may be gone the next time. */
const isWorthAnother = (error: unknown): boolean =>
  isCutoverError(error, 'ERR_FENCE') || isCutoverError(error, 'ERR_MEMBERS')

async function runAttempt(
  m: Migration,
  to: Side,
  target: Phase,
  { preflight = true, onMoved, onLeftHeld }: ChangeOptions,
  last: boolean,
): Promise<CutoverEvent> {
  const a = beginAttempt(m, otherSide(to), target, preflight)
  if (onMoved) a.onMoved = onMoved
  const journal = openJournal(m, a.from)
  const millis: Record<string, number> = {}
  try {
    for (const step of STEPS) {
      // Where somebody else has completed the move, what lies before it is done.
      if (a.settled === to && step.wayOut !== 'report') continue
      try {
        await runStep(a, step, journal, millis)
      } catch (error) {
        await takeWayOut(a, step, error)
      }
    }
    await a.barrier?.over('done')
    const event = eventOf(a, millis, 'done')
    m.events.publish('cutover', event)
    return event
  } catch (error) {
    const pending = isCutoverError(error, 'ERR_OPEN_PENDING') || isCutoverError(error, 'ERR_IN_DOUBT')
    const outcome = pending ? 'pending' : 'aborted'
    const reason = error instanceof Error ? error.message : 'unknown'
    // Members that hold are let go at once; whoever waits for the end of the move goes on waiting where it is tried again.
    await a.barrier?.over(last || !isWorthAnother(error) ? outcome : undefined, reason)
    m.events.publish('cutover', eventOf(a, millis, outcome, reason))
    throw error
  } finally {
    await Promise.all([endAttempt(a), journal.close()])
    if (a.hold && a.settled === undefined) onLeftHeld?.()
  }
}

async function runStep(
  a: Attempt,
  step: Step,
  journal: Journal,
  millis: Record<string, number>,
): Promise<void> {
  const began = performance.now()
  const bound = typeof step.bound === 'number' ? step.bound : a.m.timings[step.bound]
  const deadline = Math.min(began + bound, step.wayOut === 'back' ? (a.hold?.ends ?? Infinity) : Infinity)
  const tell = (state: StepEvent['state'], detail?: string): void => {
    const event: StepEvent = {
      name: a.m.name,
      epoch: a.epoch,
      direction: directionOf(a),
      step: step.name,
      state,
      ...(state === 'started' ? {} : { millis: performance.now() - began }),
      ...(detail === undefined ? {} : { detail }),
    }
    journal.note(event)
    a.m.events.publish('step', event)
  }
  tell('started')
  try {
    await withDeadline(step, step.run(a, deadline), deadline)
    tell('done', asked(a, step))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'unknown'
    tell('failed', reason)
    if (isCutoverError(cause)) throw cause
    throw new CutoverError(step.late, `the step "${step.name}" failed: ${reason}`, { cause })
  } finally {
    millis[step.name] = performance.now() - began
  }
}

/** What the fleet had to do with a step. */
const asked = ({ barrier }: Attempt, { name }: Step): string | undefined =>
  barrier && barrier.members.length > 0 && ASKED.has(name)
    ? `${barrier.members.length} other member${barrier.members.length === 1 ? '' : 's'}`
    : undefined

const ASKED: ReadonlySet<string> = new Set(['prepare', 'hold', 'drain', 'stop-reads'])

// Steps end themselves and say why; this is for one that hangs, hence a little later.
async function withDeadline(step: Step, work: Promise<void>, deadline: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new CutoverError(step.late, `the step "${step.name}" did not end within its deadline`)),
      deadline - performance.now() + 250,
    )
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Returns where the move goes on, else rejects. */
async function takeWayOut(a: Attempt, step: Step, error: unknown): Promise<void> {
  const { m, from, to } = a
  if (step.wayOut === 'report') {
    const reason = error instanceof Error ? error.message : 'unknown'
    const code = 'ERR_REVERSE'
    m.events.publish('warning', {
      name: m.name,
      code,
      message: `traffic is on the ${to} database: ${reason}`,
    })
    return
  }
  if (step.wayOut === 'forward') throw error
  a.over = true
  if (!a.hold) {
    // Nobody waits and nothing was sent; how a rival fares is none of our business.
    m.gate.disarm()
    throw error
  }
  const holdEnds = a.hold.ends
  // A rival's fence is left to the rival as long as our own callers can wait for it.
  const patienceMillis = a.fence === 'none' ? Math.max(0, holdEnds - performance.now()) : 0
  let settled: Side
  try {
    settled = (await settleAttempt(a, Math.max(holdEnds, performance.now()) + SETTLE_MILLIS, patienceMillis))
      .side
  } catch (cause) {
    // Nothing was sent that could have changed anything: the side being left is as good or bad as it was before.
    if (a.fence !== 'none') throw cause
    // A member may serve it only once it is confirmed there.
    if (m.self !== undefined) throw error
    settled = from
  }
  letGo(a, settled)
  if (settled === from) throw error
  const row = await readSide(a.rescue[from], m.name).catch(() => undefined)
  if (row?.status === 'moved') a.moved = row
  // The answer to our own `decide` was lost, or the end of our own hold was faster.
  if (a.fence !== 'none' && row?.epoch === a.epoch) return
  throw new CutoverError(
    'ERR_RIVAL',
    `another coordinator has given the right to write to the ${to} database meanwhile`,
    {
      cause: error,
    },
  )
}

const directionOf = (a: Attempt): CutoverEvent['direction'] =>
  `${a.from}→${a.to}` as CutoverEvent['direction']

function eventOf(
  a: Attempt,
  steps: Readonly<Record<string, number>>,
  outcome: CutoverEvent['outcome'],
  reason?: string,
): CutoverEvent {
  return {
    name: a.m.name,
    epoch: a.epoch,
    direction: directionOf(a),
    outcome,
    // A process without traffic has nobody to ask, but knows how long its own hold was.
    pauseMillis: a.release?.pauseMillis || (a.hold && a.released ? a.released - a.hold.began : 0),
    longestHeldMillis: a.release?.longestHeldMillis ?? 0,
    steps,
    ...(reason === undefined ? {} : { reason }),
  }
}
