// Listens to a source and hands over each wish in turn, keeping what was heard last and why it was not done.
import { CutoverError } from '../errors.js'
import type { CutoverEvents, EventMap } from '../events.js'
import { describeValue, parseWish, type Wish } from './phases.js'
import type { Source, SourceReport } from './source.js'

// An application that ends must not hang on somebody's flag service.
const CLOSE_MILLIS = 5_000

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
  /** Why a wish that was done before is not what holds now; asked whenever that is to be told. Default: it holds. */
  readonly undone?: ((wish: Wish) => string | undefined) | undefined
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
  /** The phase was changed by other means: the last wish, if it was not done, rests until the source says something else. */
  overruled(): void
  /** Stops listening and waits for the wish that is being done. Idempotent; never rejects. */
  close(): Promise<void>
}

/** A wish on its way, with the report that it came by. */
interface Hearing {
  readonly wish: Wish
  heard: Heard
  again: boolean
}

/** Starts to follow a source. Trouble of the source never throws and never reaches `onWish`. */
export function follow(source: Source, options: FollowOptions): Follower {
  const { name, events, onWish } = options
  let lastHeard: Heard | undefined
  let lastKey: string | undefined
  let last: Hearing | undefined
  /** Why the source cannot be followed just now. */
  let silence: string | undefined
  /** Why the last wish that was tried was not done. */
  let failure: string | undefined
  let tried: Wish | undefined
  let waiting: Hearing | undefined
  let doing = false
  let working: Promise<void> | undefined
  let closed = false
  let starting = true
  const waiters = new Set<(outcome: Wish | CutoverError) => void>()

  const undone = (wish: Wish): string | undefined => (options.undone ? options.undone(wish) : failure)

  /** Listeners can only be added when `follow` has returned, and what a source says at once is said to them too. */
  function publish<K extends 'wish' | 'warning'>(event: K, message: EventMap[K][0]): void {
    if (starting) queueMicrotask(() => events.publish(event, message))
    else events.publish(event, message)
  }

  function tell(value: string, outcome: WishOutcome, reason: string): void {
    publish('wish', { name, source: source.name, value, outcome, reason })
  }

  function conclude(hearing: Hearing, outcome: WishOutcome, reason: string): void {
    const isLast = hearing.heard === lastHeard
    hearing.heard = { ...hearing.heard, outcome, reason }
    if (isLast) lastHeard = hearing.heard
    // By its own name, whichever way the source spells it.
    tell(describeValue(hearing.wish), outcome, reason)
  }

  function hear(report: SourceReport): void {
    if (closed) return
    if (report.kind === 'warning') {
      publish('warning', { name, code: report.code, message: report.message })
      return
    }
    const value = report.kind === 'value' ? describeValue(report.value) : 'nothing'
    const key = `${report.kind} ${report.kind === 'value' ? value : report.reason}`
    if (key === lastKey) return
    lastKey = key
    const at = new Date()
    const wish = readWish(report)
    if (typeof wish === 'object') {
      lastHeard = { value, at, ...wish }
      silence = wish.reason
      tell(value, wish.outcome, wish.reason)
      return
    }
    silence = undefined
    lastHeard = { value, at, outcome: 'waiting', reason: '' }
    last = { wish, heard: lastHeard, again: false }
    for (const waiter of waiters) waiter(wish)
    if (waiting !== undefined) conclude(waiting, 'ignored', `${value} was wished before this one was begun`)
    waiting = last
    working ??= work()
  }

  async function work(): Promise<void> {
    // So that a source that reports at once never runs the work inside `follow` itself.
    await Promise.resolve()
    while (waiting !== undefined) {
      const hearing = waiting
      waiting = undefined
      const { wish } = hearing
      const repeated = wish === tried
      if (repeated && !(hearing.again && failure !== undefined)) {
        const reason = undone(wish) === undefined ? undefined : (failure ?? undone(wish))
        conclude(hearing, reason === undefined ? 'followed' : 'ignored', reason ?? 'it was done before')
        continue
      }
      if (!repeated) failure = undefined
      tried = wish
      doing = true
      try {
        failure = (await onWish(wish)) ?? undefined
        conclude(hearing, failure === undefined ? 'followed' : 'ignored', failure ?? 'done')
      } catch (error) {
        failure = error instanceof Error ? error.message : String(error)
        conclude(hearing, 'refused', failure)
      }
      doing = false
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
  starting = false

  return {
    get lastWish() {
      return last?.wish
    },
    get lastHeard() {
      return lastHeard
    },
    get whyNot() {
      if (silence !== undefined) return silence
      if (last === undefined || waiting !== undefined) return undefined
      if (doing) return failure
      const changed = undone(last.wish)
      return changed === undefined ? undefined : (failure ?? changed)
    },
    firstWish(timeoutMillis) {
      if (last !== undefined) return Promise.resolve(last.wish)
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
      if (closed || last === undefined || failure === undefined || waiting !== undefined) return
      last.again = true
      waiting = last
      working ??= work()
    },
    overruled() {
      if (!doing && waiting === undefined) failure = undefined
    },
    async close() {
      closed = true
      if (waiting !== undefined) {
        failure = 'the migration was ended in this process'
        conclude(waiting, 'ignored', failure)
      }
      waiting = undefined
      for (const waiter of waiters) waiter(ended(source))
      await closeInTime(source)
      await working
    },
  }
}

/** Nothing can be done about a source that cannot be closed, and it is not listened to any more. */
async function closeInTime(source: Source): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_MILLIS)
  })
  const closing = async (): Promise<void> => source.close()
  await Promise.race([closing().catch(() => {}), late])
  clearTimeout(timer)
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
