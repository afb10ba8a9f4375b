// Listens to a source and hands over each wish in turn, keeping what was heard last and why it was not done.
import { CutoverError } from '../errors.js'
import type { CutoverEvents, EventMap } from '../events.js'
import { describeValue, parseWish, type Wish } from './phases.js'
import type { Source, SourceReport } from './source.js'

export type WishOutcome = EventMap['wish'][0]['outcome']

/** The last report of the source that differed from the one before it. */
export interface Heard {
  readonly value: string
  readonly at: Date
  /** `waiting` until what became of it is known. */
  readonly outcome: WishOutcome | 'waiting'
  readonly reason: string
}

export interface FollowOptions {
  readonly name: string
  readonly events: CutoverEvents
  /**
   * Does what is wished. Never called again before it has finished; of the wishes that come meanwhile only the last is
   * handed over. May give the reason why it does nothing. A rejection refuses the wish until another one comes.
   */
  readonly onWish: (wish: Wish) => Promise<string | void> | string | void
}

export interface Follower {
  /** The last wish that could be read, whatever came after it. */
  readonly lastWish: Wish | undefined
  readonly lastHeard: Heard | undefined
  /** Why the source's present word is not done; undefined when it is, or is about to be. */
  readonly whyNot: string | undefined
  /** The first wish that can be read. Rejects with `ERR_PHASE_UNKNOWN` after this time and `ERR_ENDED` on close. */
  firstWish(timeoutMillis: number): Promise<Wish>
  /** Resolves when no wish is being done or waits. */
  settled(): Promise<void>
  /** Tries the last wish once more if it was not done. */
  again(): void
  /** Stops listening and waits for the wish that is being done. Idempotent; never rejects. */
  close(): Promise<void>
}

/** Starts to follow a source. Trouble of the source never throws and never reaches `onWish`. */
export function follow(source: Source, { name, events, onWish }: FollowOptions): Follower {
  let lastWish: Wish | undefined
  let lastHeard: Heard | undefined
  let lastKey: string | undefined
  /** Why the source cannot be followed just now. */
  let silence: string | undefined
  /** Why the last wish that was tried was not done. */
  let failure: string | undefined
  let tried: Wish | undefined
  let waiting: Wish | undefined
  let working: Promise<void> | undefined
  let closed = false
  const waiters = new Set<(outcome: Wish | CutoverError) => void>()

  function conclude(value: string, outcome: WishOutcome, reason: string): void {
    if (lastHeard?.value === value) lastHeard = { ...lastHeard, outcome, reason }
    events.publish('wish', { name, source: source.name, value, outcome, reason })
  }

  function hear(report: SourceReport): void {
    if (closed) return
    if (report.kind === 'warning') {
      events.publish('warning', { name, code: report.code, message: report.message })
      return
    }
    const value = report.kind === 'value' ? describeValue(report.value) : 'nothing'
    const key = `${report.kind} ${report.kind === 'value' ? value : report.reason}`
    if (key === lastKey) return
    lastKey = key
    lastHeard = { value, at: new Date(), outcome: 'waiting', reason: '' }
    const wish = readWish(report)
    if (typeof wish === 'object') {
      silence = wish.reason
      conclude(value, wish.outcome, wish.reason)
      return
    }
    silence = undefined
    lastWish = wish
    for (const waiter of waiters) waiter(wish)
    if (waiting !== undefined)
      conclude(describeValue(waiting), 'ignored', `${value} was wished before this one was begun`)
    waiting = wish
    working ??= work()
  }

  async function work(): Promise<void> {
    // So that a source that reports at once never runs the work inside `follow` itself.
    await Promise.resolve()
    while (waiting !== undefined) {
      const wish = waiting
      waiting = undefined
      const value = describeValue(wish)
      if (wish === tried && failure === undefined) {
        conclude(value, 'followed', 'it was done before')
        continue
      }
      tried = wish
      try {
        failure = (await onWish(wish)) ?? undefined
        conclude(value, failure === undefined ? 'followed' : 'ignored', failure ?? 'done')
      } catch (error) {
        failure = error instanceof Error ? error.message : String(error)
        conclude(value, 'refused', failure)
      }
    }
    working = undefined
  }

  async function watch(): Promise<void> {
    try {
      await source.watch(hear, { name })
    } catch (error) {
      hear({ kind: 'unavailable', reason: error instanceof Error ? error.message : String(error) })
    }
  }
  void watch()

  return {
    get lastWish() {
      return lastWish
    },
    get lastHeard() {
      return lastHeard
    },
    get whyNot() {
      return silence ?? (waiting === undefined ? failure : undefined)
    },
    firstWish(timeoutMillis) {
      if (lastWish !== undefined) return Promise.resolve(lastWish)
      if (closed) return Promise.reject(ended(source))
      return new Promise((resolve, reject) => {
        const settle = (outcome: Wish | CutoverError): void => {
          clearTimeout(timer)
          waiters.delete(settle)
          if (outcome instanceof CutoverError) reject(outcome)
          else resolve(outcome)
        }
        const timer = setTimeout(() => {
          const why = silence ?? 'it has said nothing'
          settle(
            new CutoverError(
              'ERR_PHASE_UNKNOWN',
              `the source "${source.name}" named no phase within ${timeoutMillis} ms: ${why}`,
            ),
          )
        }, timeoutMillis)
        waiters.add(settle)
      })
    },
    async settled() {
      await working
    },
    again() {
      if (closed || failure === undefined || waiting !== undefined) return
      waiting = lastWish
      working ??= work()
    },
    async close() {
      closed = true
      waiting = undefined
      for (const waiter of waiters) waiter(ended(source))
      try {
        await source.close()
      } catch {
        // Nothing can be done about a source that cannot be closed, and it is not listened to any more.
      }
      await working
    },
  }
}

const ended = (source: Source): CutoverError =>
  new CutoverError('ERR_ENDED', `the migration was ended before the source "${source.name}" named a phase`)

function readWish(
  report: Exclude<SourceReport, { kind: 'warning' }>,
): Wish | { outcome: 'refused' | 'unavailable'; reason: string } {
  if (report.kind === 'unavailable')
    return { outcome: 'unavailable', reason: `it is unavailable: ${report.reason}` }
  try {
    return parseWish(report.value)
  } catch (error) {
    return { outcome: 'refused', reason: error instanceof Error ? error.message : String(error) }
  }
}
