// One process as a member of the fleet: it is listed where it serves, serves while it is confirmed, and follows coordinators.
import type { SideRow } from '../control/side-row.js'
import { otherSide, PHASES, type Phase, type Side } from '../phase/phases.js'
import { lookAhead } from './ahead.js'
import { Confirmation } from './confirmation.js'
import { confirmedRoutes } from './confirmed-route.js'
import { Crossing } from './crossing.js'
import { Doubt } from './doubt.js'
import { CallFollower } from './follow-call.js'
import { endHearings, Hearing, type HeardThen } from './hearing.js'
import { Looking } from './looking.js'
import { News } from './news.js'
import { FIRST_LOOK_MILLIS, lookMillis } from './pace.js'
import type { MemberHome } from './member-home.js'
import { WorkMeter } from './member-state.js'
import { CONFIRMED_MILLIS } from './words.js'
import type { Call, MemberIdentity, MemberState } from './words.js'

/** Whoever has decided opens the other side at once; if not, somebody has to. */
const OPEN_PATIENCE_MILLIS = 250

export class FleetMember {
  readonly confirmation = new Confirmation(() => this.#doubt.begin())
  readonly #home: MemberHome
  readonly #hearing: Readonly<Record<Side, Hearing>>
  readonly #follower: CallFollower
  readonly #doubt: Doubt
  readonly #crossing: Crossing
  readonly #meter: WorkMeter
  readonly #here = new Looking(
    () => this.#look(),
    () => this.#pause,
  )
  readonly #ahead: Looking
  readonly #news = new News()
  #call: Call | undefined
  #troubled = false
  #leftAt: number | undefined
  /** When the last answer came by which this process goes. */
  #heardAt = -Infinity
  #closed = false

  constructor(home: MemberHome, who: MemberIdentity) {
    const { core, m } = home
    this.#home = home
    this.#meter = new WorkMeter(core)
    const hearing = (side: Side): Hearing => new Hearing(m, side, who, (word) => this.#told(side, word))
    this.#hearing = { old: hearing('old'), new: hearing('new') }
    this.#ahead = lookAhead({
      hearings: this.#hearing,
      side: () => core.side,
      begun: () => this.#crossing.begun,
      holds: () => this.#follower.holds,
      state: () => this.#state,
      heard: (side, heard) => this.#heardAhead(side, heard),
    })
    this.#crossing = new Crossing({
      home,
      hearings: this.#hearing,
      confirmation: this.confirmation,
      state: () => this.#state,
      holds: () => this.#follower.holds,
      flipped: () => this.#flipped(),
    })
    const confirmed = (): boolean => this.confirmation.valid
    const settle = (useUp?: number): Promise<Side> => this.#crossing.settle(useUp)
    this.#follower = new CallFollower({
      home,
      confirmed,
      settle,
      // Whoever waits looks for the opened side more often.
      held: () => this.#ahead.reset(),
      joinAhead: async () => void (await this.#hearing[otherSide(core.side)].hear(this.#state)),
      answer: (...said) => this.#hearing[core.side].answer(...said),
    })
    this.#doubt = new Doubt({
      core,
      confirmed,
      settle,
      holdTimeoutMillis: m.timings.holdTimeoutMillis,
      ask: (run) => this.#hearing[core.side].hearBy(run, this.#state),
      heard: (side, heard) => this.#heard(side, heard),
      begun: () => this.#follower.fail('its confirmation ran out while it was armed'),
    })
  }

  /** What the last coordinator has asked for, as it was heard last. */
  get call(): Call | undefined {
    return this.#call
  }

  get listed(): boolean {
    return this.#hearing[this.#home.core.side].listed
  }

  /** An attempt of another process. */
  get following(): boolean {
    return this.#follower.active
  }

  /** Before this process serves by this row, if there is one. False where that side does not write any more. */
  async start(row: SideRow | undefined): Promise<boolean> {
    return !row || (await this.#crossing.arrive(row.side))
  }

  /** From now on this process serves. */
  watch(): void {
    this.#doubt.begin()
    this.#here.now()
    this.#ahead.now()
  }

  /** This process serves by another phase. */
  rested(phase: Phase): void {
    // One that was stopped runs the callbacks of its sockets before its timers: where the writer may change, each call asks.
    const asks = PHASES[phase].mirroredTo !== undefined
    this.#home.core.inFront.guard(confirmedRoutes(this.confirmation, this.#doubt.verdict, asks))
  }

  /** This process is about to change the writer: once it has, it is to be listed on the other side. */
  goesAhead(): void {
    this.#hearing[otherSide(this.#home.core.side)].hear(this.#state).catch(() => {})
  }

  /** This process has changed the writer. */
  moved(): void {
    this.#doubt.forget()
    // Whoever wants it back waits until everybody who speaks to that side is listed there.
    this.confirmation.begin(performance.now() - CONFIRMED_MILLIS / 2)
    this.#crossing.leave(otherSide(this.#home.core.side))
    setTimeout(() => this.#here.now(), this.listed ? FIRST_LOOK_MILLIS : 0).unref()
  }

  /** Ends the source's hold, unless this process has lost its confirmation meanwhile. */
  letGo(): void {
    this.#doubt.letGo()
  }

  /** Serves by the writer's row, which was found out after a statement has met a fence or a hold has run out. */
  serve(row: SideRow): Promise<void> {
    return this.#crossing.serve(row)
  }

  /** Resolves when it is so, as it may become whenever something was heard, and at the latest after this time. */
  until(isSo: () => boolean, millis: number): Promise<void> {
    return this.#news.until(isSo, millis)
  }

  /** Asks the side in use at once. */
  look(): void {
    this.#here.now()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#news.heard()
    this.confirmation.stop()
    this.#follower.forget()
    const looked = Promise.all([this.#here.close(), this.#ahead.close(), this.#crossing.close()])
    await endHearings(Object.values(this.#hearing), !this.#troubled)
    await looked
  }

  get #state(): MemberState {
    return this.#meter.measure(this.#home.phase ?? 'old', this.#home.epoch)
  }

  get #pause(): number {
    const troubled = this.#troubled || !this.confirmation.valid
    return lookMillis({ holds: this.#follower.holds, troubled, begun: this.#crossing.begun })
  }

  // A fence alone tells nothing that has to be done; and what this process does itself it knows, as long as it is confirmed.
  #told(side: Side, word: string): void {
    if (/ fenced | moved /.test(word) || (this.#home.moving && this.confirmation.valid)) return
    if (side !== this.#home.core.side) this.#ahead.now()
    else if (!this.#home.moving && this.#follower.told(word)) this.#news.heard()
    else this.#here.now()
  }

  async #look(): Promise<void> {
    const { side } = this.#home.core
    try {
      const asked = this.#hearing[side].hear(this.#state)
      const heard = await this.#doubt.impatient(asked, () => this.#crossing.begun)
      this.#troubled = false
      this.#heard(side, heard)
    } catch (error) {
      this.#troubled = true
      if (!this.#closed && this.#crossing.begun) this.#doubt.failed(error)
    }
  }

  #heard(side: Side, { row, call, listed, sentAt }: HeardThen): void {
    const { core, moving } = this.#home
    if (this.#closed || side !== core.side || !row || this.#follower.isStale(sentAt)) return
    this.#crossing.begun = true
    // Two ways to ask may overtake one another: this may be older than what was heard meanwhile.
    if (sentAt < this.#heardAt) return this.#here.now()
    this.#heardAt = performance.now()
    this.#call = call
    if (row.status === 'writer' && listed) {
      this.#crossing.epoch = row.epoch
      this.confirmation.confirm(sentAt)
      if (this.confirmation.valid) this.#doubt.end()
    } else if (this.confirmation.until === Infinity) this.confirmation.begin(sentAt)
    if (!moving) this.#consider(row, call)
    this.#news.heard()
  }

  #consider(row: SideRow, call: Call | undefined): void {
    // Both ends of what follows let calls go to this side.
    if (row.status === 'writer' && !this.confirmation.valid) return
    this.#follower.consider(row, call)
    if (row.status === 'writer') {
      this.#leftAt = undefined
      const isOther = row.phase !== undefined && row.phase !== this.#home.phase
      if (isOther && !this.#follower.active) this.#home.rest(row)
    } else if (row.status !== 'fenced') {
      void this.#home.core.stopReads()
      this.#leftAt ??= performance.now()
      const mayBeOpened = performance.now() - this.#leftAt < OPEN_PATIENCE_MILLIS
      if (!(this.#follower.holds && mayBeOpened)) this.#crossing.go()
    }
  }

  #heardAhead(side: Side, { row, listed, sentAt }: HeardThen): void {
    const { core, moving } = this.#home
    if (this.#closed || moving || side === core.side) return
    // Of an epoch that this process has not served by: what was opened before says nothing.
    if (row?.status !== 'writer' || row.epoch <= this.#crossing.epoch) return
    const isFresh = performance.now() < sentAt + CONFIRMED_MILLIS
    if (!listed || !isFresh || !this.#follower.holds) return this.#crossing.go(row)
    this.confirmation.begin(sentAt)
    this.#crossing.flip(row)
  }

  #flipped(): void {
    this.#leftAt = undefined
    this.#heardAt = performance.now()
    this.#follower.forget()
    this.#doubt.forget()
    queueMicrotask(() => {
      this.#news.heard()
      this.#doubt.begin()
      this.#here.reset()
      this.#ahead.reset()
    })
  }
}
