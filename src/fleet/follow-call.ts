// Does in this process what the coordinator of an attempt asks of all members, and answers it.
import type { SideRow } from '../control/side-row.js'
import type { Side } from '../phase/phases.js'
import { warmUpText } from './warm-up.js'
import type { MemberHome } from './member-home.js'
import type { Answer, Call, Stage } from './words.js'

const RANK: Readonly<Record<Stage, number>> = { arm: 1, hold: 2, 'stop-reads': 3, over: 4 }

/** Of a message for other processes. */
const REASON_LENGTH = 500

/** What is done for the attempt of another process. */
interface Followed {
  readonly attempt: string
  readonly epoch: number
  /** As it was heard first; the stage is the one of then. */
  readonly call: Call
  rank: number
  /** Ends the armed route where nothing more is heard of the coordinator. */
  impatience?: NodeJS.Timeout
  /** The gate's state as this hold has made it: another one is somebody else's. */
  held?: unknown
  drained?: boolean
  stopped?: boolean
}

export interface FollowOptions {
  readonly home: MemberHome
  /** Makes this process known on the side that is to be opened. */
  readonly joinAhead: () => Promise<void>
  /** New work waits from now on. */
  readonly held: () => void
  readonly answer: (attempt: string, said: Answer, reason?: string) => Promise<unknown>
  /** The lease of a hold is over: gives the writer's row once it may be served by. */
  readonly settle: (useUp: number) => Promise<Side>
  /** Whether the side in use may still be read. */
  readonly confirmed: () => boolean
}

export class CallFollower {
  readonly #options: FollowOptions
  #now: Followed | undefined
  /** The last attempt that is over for this process, whatever its coordinator says. */
  #done: string | undefined
  /** By `performance.now()`: when this process did last what it was asked. */
  #followedAt = -Infinity

  constructor(options: FollowOptions) {
    this.#options = options
  }

  /** An attempt is under way, as far as this process knows. */
  get active(): boolean {
    return this.#now !== undefined
  }

  /** New work waits for the attempt. */
  get holds(): boolean {
    return this.#now?.held !== undefined
  }

  /**
   * Whether an answer to a question that was sent then may be older than what this process has done since: it is asked over
   * two connections, and a late answer must not undo what a coordinator was promised.
   */
  isStale(sentAt: number): boolean {
    return sentAt < this.#followedAt
  }

  /**
   * By what the side in use and the coordinator say, read in one snapshot. True where the attempt is over and the side in
   * use has the right to write.
   */
  consider(row: SideRow, call: Call | undefined): boolean {
    const now = this.#now
    const isOver = now && (call?.attempt !== now.attempt || call.stage === 'over')
    const ended = now !== undefined && row.status === 'writer' && (isOver === true || row.epoch >= now.epoch)
    if (ended) this.#letGo(now)
    if (call && call.attempt !== this.#done && call.stage !== 'over' && this.#isOpen(row, call.epoch))
      this.#follow(call)
    return ended
  }

  /**
   * Does what the attempt that this process follows asks for next, by the notification alone: to wait is always allowed, and
   * ends with the lease. False where the side in use has to be asked.
   */
  told(word: string): boolean {
    const now = this.#now
    const [what, stage, attempt] = word.split(' ')
    if (what !== 'call' || !now || now.attempt !== attempt) return false
    if (stage !== 'hold' && stage !== 'stop-reads') return false
    this.#follow({ ...now.call, stage })
    return true
  }

  /** What is left of an attempt is no concern of this process any more. The gate stays as it is. */
  forget(): void {
    clearTimeout(this.#now?.impatience)
    this.#done = this.#now?.attempt ?? this.#done
    this.#now = undefined
  }

  /** This process cannot do what it has promised. */
  fail(reason: string): void {
    const { core, moving } = this.#options.home
    const now = this.#now
    if (!now) return
    this.forget()
    if (core.state.kind === 'armed' && !moving) core.release(core.side)
    void this.#say(now.attempt, 'failed', reason)
  }

  // One that is used up is left from before; one that was decided goes on without us.
  #isOpen(row: SideRow, epoch: number): boolean {
    return row.status === 'writer' ? row.epoch < epoch : row.status === 'fenced' && row.epoch === epoch
  }

  #follow(call: Call): void {
    if (this.#now?.attempt !== call.attempt) {
      this.forget()
      this.#now = { attempt: call.attempt, epoch: call.epoch, call, rank: 0 }
    }
    const now = this.#now
    if (!now) return
    const wanted = RANK[call.stage]
    if (now.rank >= wanted) return
    const before = now.rank
    now.rank = wanted
    this.#followedAt = performance.now()
    clearTimeout(now.impatience)
    if (wanted === RANK.arm) void this.#arm(now, call)
    // Whoever joins in the middle does at once what the others did before.
    if (before < RANK.hold && wanted >= RANK.hold) this.#hold(now)
    if (wanted === RANK['stop-reads']) this.#stopReads(now)
  }

  async #arm(now: Followed, { tables }: Call): Promise<void> {
    const { home, joinAhead } = this.#options
    const { core, m } = home
    const giveUp = (): void => {
      if (this.#now === now)
        this.fail(`nothing was heard for ${m.timings.prepareTimeoutMillis} ms while armed`)
    }
    now.impatience = setTimeout(giveUp, m.timings.prepareTimeoutMillis).unref()
    const failed = await Promise.all([
      core.arm(warmUpText(tables), performance.now() + AHEAD_MILLIS),
      joinAhead(),
    ])
      .then(() => undefined)
      .catch((error: unknown) => error)
    if (this.#now !== now) return
    if (failed === undefined) void this.#say(now.attempt, 'armed')
    else this.fail(reasonOf(failed))
  }

  #hold(now: Followed): void {
    const { home, confirmed, settle, held } = this.#options
    const { core, m } = home
    core.hold({
      millis: m.timings.holdTimeoutMillis,
      reads: confirmed() ? 'flow' : 'wait',
      ended: () => settle(now.epoch),
    })
    now.held = core.state
    held()
    void this.#drain(now)
  }

  async #drain(now: Followed): Promise<void> {
    const { core, m } = this.#options.home
    const drained = core.drain(m.timings.drainTimeoutMillis).then(
      () => undefined,
      (error: unknown) => error ?? new Error('unknown'),
    )
    // Where nothing is under way one answer says both.
    const atOnce = await Promise.race([drained.then(() => true), nextTurn()])
    if (!atOnce) void this.#say(now.attempt, 'held')
    const failed = await drained
    if (this.#now !== now || core.state !== now.held) return
    if (failed !== undefined) return void this.#say(now.attempt, 'failed', reasonOf(failed))
    now.drained = true
    // The later word includes the earlier one, and not the reverse.
    void this.#say(now.attempt, now.stopped === true ? 'stopped' : 'drained')
  }

  #stopReads(now: Followed): void {
    const { core } = this.#options.home
    // The gate was taken by somebody who may let it go by older words.
    if (core.state !== now.held) return
    void core.stopReads()
    now.stopped = true
    if (now.drained === true) void this.#say(now.attempt, 'stopped')
  }

  #letGo(now: Followed): void {
    const { home } = this.#options
    const { core } = home
    const isOurs = now.held === undefined ? core.state.kind === 'armed' : core.state === now.held
    this.forget()
    if (isOurs && !home.moving) core.release(core.side)
  }

  // A coordinator that hears nothing ends the attempt.
  async #say(attempt: string, said: Answer, reason?: string): Promise<void> {
    await this.#options.answer(attempt, said, reason?.slice(0, REASON_LENGTH)).catch(() => {})
  }
}

/** For the connections of the reads in a hold, which are no reason to wait. */
const AHEAD_MILLIS = 10_000

const nextTurn = (): Promise<false> => new Promise((resolve) => setImmediate(resolve, false))

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
