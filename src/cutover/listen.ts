// LISTEN for the whole process: one connection to the side in use, and one to the other while a change of writer is at hand.
import type { Notification } from 'pg'
import { CutoverError } from '../errors.js'
import type { CutoverEvents, StepEvent } from '../events.js'
import { otherSide, type Side } from '../phase/phases.js'
import type { PoolCore } from '../pool/pool-core.js'
import { Condition } from './condition.js'
import { poolAddress } from './connections.js'
import { ListenChannels, type Subscription } from './listen-channels.js'
import { checkListen } from './listen-options.js'
import { ListenSide } from './listen-side.js'
import type { Heard, Listener, Listening } from './listener.js'
import type { ResolvedOptions } from './read-options.js'

/** How long a change of writer waits for the other side to be heard, before anybody is held. */
const AHEAD_MILLIS = 2_000
/** For what is still on its way from the side that was left. */
const FLUSH_MILLIS = 2_000

export class Listeners {
  readonly #core: PoolCore
  readonly #events: CutoverEvents
  readonly #options: ResolvedOptions
  readonly #channels = new ListenChannels()
  readonly #sides = new Map<Side, ListenSide>()
  readonly #condition = new Condition()
  /** The side whose notifications count; undefined while no phase is known. */
  #at: Side | undefined
  /** Notifications of the other side wait here, since older ones may be on their way from the side being left. */
  #later: Heard[] | undefined
  /** Both sides have been in use since then, so that none of them is only the other one. */
  #crossed = false
  #owed: 'reconnected' | 'moved' | undefined
  /** What heard the side to be opened when this process itself decided to open it: nobody has written there before. */
  #proof: object | undefined
  #leaving: { readonly side: Side; readonly left: Promise<void> } | undefined
  #closed = false

  constructor(core: PoolCore, events: CutoverEvents, options: ResolvedOptions) {
    this.#core = core
    this.#events = events
    this.#options = options
    core.guests.add(this)
    core.stopFirst.add(this.#hearAhead)
    events.on('step', this.#stepped)
    this.routeChanged()
  }

  // As a guest of the gate it has a connection of no concern to the drain.
  readonly client = undefined
  readonly atWork = false

  get side(): Side {
    return this.#leaving?.side ?? this.#at ?? 'old'
  }

  async leave(side: Side): Promise<void> {
    if (this.#leaving?.side === side) await this.#leaving.left
  }

  async listen(channel: string, listener: Listener): Promise<Listening> {
    checkListen(channel, listener)
    this.#refuseClosed()
    const isNew = !this.#channels.has(channel)
    const subscription = this.#channels.add(channel, listener)
    if (isNew)
      for (const side of this.#sides.values()) void side.add(channel).then(() => this.#condition.changed())
    this.#openSides()
    await this.#condition.until(() => this.#closed || this.#isHeard(channel))
    this.#refuseClosed()
    subscription.live = true
    return { close: () => this.#drop(subscription) }
  }

  routeChanged(): void {
    const { state, side } = this.#core
    if (this.#closed || state.kind === 'unknown' || state.kind === 'refusing') return
    if (state.kind === 'ended') return void this.close()
    this.#at ??= side
    if (side !== this.#at) this.#moved(this.#at, side)
    else if (state.kind === 'direct') this.#rest()
    this.#openSides()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#core.guests.remove(this)
    this.#core.stopFirst.delete(this.#hearAhead)
    this.#events.off('step', this.#stepped)
    this.#channels.clear()
    this.#condition.changed()
    await Promise.all([...this.#sides.keys()].map((side) => this.#shut(side)))
    await this.#leaving?.left
  }

  /** Before a hold. It is no reason not to hold: what is not heard in time is told as a gap. */
  readonly #hearAhead = async (): Promise<void> => {
    if (this.#at === undefined || this.#channels.names.length === 0) return
    const ahead = otherSide(this.#at)
    this.#later ??= []
    this.#open(ahead)
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.#condition.changed()
    }, AHEAD_MILLIS)
    await this.#condition.until(
      () => this.#closed || late || this.#sides.get(ahead)?.hearing !== undefined || !this.#sides.has(ahead),
    )
    clearTimeout(timer)
  }

  readonly #stepped = ({ step, state }: StepEvent): void => {
    if (step !== 'decide' || state !== 'done' || this.#at === undefined) return
    const ahead = this.#sides.get(otherSide(this.#at))
    const hearsAll = this.#channels.names.every((channel) => ahead?.hears(channel))
    this.#proof = hearsAll ? ahead?.hearing : undefined
  }

  #moved(from: Side, to: Side): void {
    const hearing = this.#sides.get(to)?.hearing
    const complete = hearing !== undefined && hearing === this.#proof
    this.#proof = undefined
    this.#crossed = true
    this.#at = to
    if (this.#channels.names.length === 0) return this.#rest()
    if (!complete) this.#owed ??= 'moved'
    this.#later ??= []
    const left = this.#leave(from)
    this.#leaving = { side: from, left }
    void left.finally(() => {
      if (this.#leaving?.left === left) this.#leaving = undefined
      this.#rest()
    })
    this.#tellGap()
  }

  /** Resolves when everything is heard that this process has notified on the side that was left. */
  async #leave(from: Side): Promise<void> {
    let late: NodeJS.Timeout | undefined
    const tooLate = new Promise<never>((_, reject) => {
      late = setTimeout(() => reject(new Error(`no answer within ${FLUSH_MILLIS} ms`)), FLUSH_MILLIS)
    })
    try {
      await Promise.race([this.#sides.get(from)?.flush(), tooLate])
    } catch {
      if (this.#channels.names.length > 0) this.#owed ??= 'reconnected'
    }
    clearTimeout(late)
  }

  get #isMoveAtHand(): boolean {
    const { kind } = this.#core.state
    return kind === 'armed' || kind === 'held'
  }

  /** Nothing is on its way any more from a side that was left, and perhaps no change of writer is at hand. */
  #rest(): void {
    const at = this.#at
    if (at === undefined || this.#leaving) return
    const later = this.#later ?? []
    const stays = (heard: Heard): boolean => this.#isMoveAtHand && heard.side !== at
    this.#later = this.#isMoveAtHand ? later.filter(stays) : undefined
    if (!this.#isMoveAtHand) {
      this.#proof = undefined
      void this.#shut(otherSide(at))
    }
    for (const heard of later)
      if (heard.side === at || (this.#crossed && !stays(heard))) this.#channels.tell(heard)
    if (!this.#later) this.#crossed = false
    this.#tellGap()
  }

  #openSides(): void {
    if (this.#at !== undefined && this.#channels.names.length > 0) this.#open(this.#at)
  }

  #open(side: Side): void {
    if (this.#closed || this.#sides.has(side)) return
    const isMine = (): boolean => side === this.#at || side === this.#leaving?.side
    this.#sides.set(
      side,
      new ListenSide(poolAddress(this.#options, side), () => this.#channels.names, {
        heard: (notification) => this.#heard(side, notification),
        hearing: (direct) => {
          if (!direct) this.#warn(`the ${side} database is reached through a pooler: ${POOLER}`)
          this.#condition.changed()
          this.#tellGap()
        },
        deaf: () => {
          if (isMine()) this.#owed ??= 'reconnected'
        },
        failed: (error) => {
          if (isMine())
            this.#warn(`the ${side} database cannot be listened to, and is tried again: ${messageOf(error)}`)
        },
      }),
    )
  }

  async #shut(side: Side): Promise<void> {
    const open = this.#sides.get(side)
    this.#sides.delete(side)
    this.#condition.changed()
    await open?.close()
  }

  #heard(side: Side, { channel, payload = '', processId }: Notification): void {
    const heard: Heard = { kind: 'notification', channel, payload, processId, side }
    const waits = side !== this.#at || this.#leaving !== undefined
    if (this.#later && waits && side !== this.#leaving?.side) this.#later.push(heard)
    else this.#channels.tell(heard)
  }

  /** Only where the channels are heard again, so that whoever reads anew then misses nothing. */
  #tellGap(): void {
    const side = this.#at
    if (this.#owed === undefined || side === undefined || !this.#sides.get(side)?.hearing) return
    const reason = this.#owed
    this.#owed = undefined
    for (const channel of this.#channels.names) this.#channels.tell({ kind: 'resync', channel, reason, side })
  }

  #isHeard(channel: string): boolean {
    const open = [...this.#sides.values()].filter((side) => side.hearing !== undefined)
    const inUse = this.#at && this.#sides.get(this.#at)
    return inUse?.hearing !== undefined && open.every((side) => side.hears(channel))
  }

  async #drop(subscription: Subscription): Promise<void> {
    if (!this.#channels.remove(subscription)) return
    const open = [...this.#sides]
    if (this.#channels.names.length === 0) await Promise.all(open.map(([side]) => this.#shut(side)))
    else await Promise.all(open.map(([, side]) => side.remove(subscription.channel)))
  }

  #warn(message: string): void {
    this.#events.publish('warning', { name: this.#options.name, code: 'LISTEN', message })
  }

  #refuseClosed(): void {
    if (this.#closed)
      throw new CutoverError('ERR_ENDED', `the migration "${this.#options.name}" was ended in this process`)
  }
}

const POOLER =
  'in transaction mode it takes LISTEN and nothing is ever heard; give an address of the server itself'

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
