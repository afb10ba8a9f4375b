// The reads of a gate: while new work is held they go on, over connections of their own, until their side is left.
import type { Side } from '../phase/phases.js'
import { CatalogsAhead } from './catalogs-ahead.js'
import { readFence, FENCE_SQLSTATE } from './fence-error.js'
import type { CoreState } from './gate-state.js'
import type { Acquisition } from './hold-queue.js'
import type { Guests } from './guests.js'
import type { InnerClient } from './pg-internals.js'
import type { PoolCoreOptions } from './pool-core-options.js'
import type { ReadLane } from './read-lane.js'
import type { SidePool } from './side-pool.js'
import type { WaitingLine } from './waiting-line.js'

const USUAL_MAX = 10
// A large schema takes seconds to be learnt for the first time.
const LONGEST_OPEN_MILLIS = 10_000
// Or up to twice that, since all processes of a fleet flip at once.
const LEARN_AFTER_MILLIS = 1_000
// The end of connections would take the processor from the calls that a release lets go.
const CLOSE_AFTER_MILLIS = 100
// A text that is seen for the first time takes a microsecond a letter, and thousands of calls may wait.
const SLICE_MILLIS = 2
// Texts that are built anew each time must not grow the memory.
const MISTAKES = 1_000

interface HeldReadsView {
  readonly state: CoreState
  readonly side: Side
  readonly pools: Readonly<Record<Side, SidePool>>
  readonly line: WaitingLine
  readonly guests: Guests
  readonly counters: { heldReads: number }
}

export class HeldReads {
  readonly #view: HeldReadsView
  readonly #options: PoolCoreOptions
  #lane: ReadLane | undefined
  #opening: Promise<void> | undefined
  readonly #catalogs: CatalogsAhead
  /** Texts that were taken for reads and that the server has refused. */
  readonly #mistaken = new Set<string>()
  /** No connection could be had for this hold. */
  #gaveUp = false
  readonly #closing = new Set<Promise<void>>()
  /** Given up, and closed a little later. */
  readonly #leaving = new Map<ReadLane, NodeJS.Timeout>()
  readonly #clients = new WeakSet<InnerClient>()

  constructor(view: HeldReadsView, options: PoolCoreOptions) {
    this.#view = view
    this.#options = options
    this.#catalogs = new CatalogsAhead(view, options.texts)
  }

  /** Calls that wait for a connection for reads. */
  get waiting(): readonly Acquisition[] {
    return this.#lane?.waiting.entries() ?? []
  }

  /**
   * Opens connections to the side in use and learns its catalogs, in half the time that is left. Never rejects: where that
   * cannot be done, reads wait as everything does, and a `warning` says so.
   */
  async open(deadline = Infinity): Promise<void> {
    const opening = (this.#opening ??= this.#begin())
    const millis = Math.min(LONGEST_OPEN_MILLIS, Math.max(0, deadline - performance.now()) / 2)
    const { within } = await import('./within.js')
    await within(millis, opening, 'they were not ready').catch((error: unknown) => {
      if (opening === this.#opening) this.#failed(error)
    })
  }

  #begin(): Promise<void> {
    const opening = this.#open().finally(() => {
      if (this.#opening === opening) this.#opening = undefined
    })
    return opening
  }

  /**
   * Learns the catalogs of the side in use, so long before any move that nobody waits for it. After a flip it would take the
   * processors of both servers from the calls that have waited, in every process at once, so it is put off.
   */
  ahead(when: 'now' | 'later' = 'now'): void {
    if (this.#options.heldReadsMax === 0) return
    if (when === 'now') this.#catalogs.learn()
    else setTimeout(() => this.#catalogs.learn(), LEARN_AFTER_MILLIS * (1 + Math.random())).unref()
  }

  /** Whether a `query` of this text may be answered in the hold that is on, or in the next one. */
  mayFlow(text: string): boolean {
    const { state } = this.#view
    if (this.#gaveUp || this.#options.heldReadsMax === 0) return false
    if (state.kind !== 'held' || !state.reads) return state.kind === 'armed'
    if (this.#lane?.ready === true) return this.#isRead(text)
    // Without an `arm` before the hold there are no connections until somebody asks: they would keep a process alive that
    // has nothing more to do.
    if (this.#opening === undefined) void this.open()
    return true
  }

  /** Whether a `query` of this text is answered now, although new work is held. */
  flows(text: string): boolean {
    return this.mayFlow(text) && this.#isFlowing
  }

  /** False where the call has to wait like any other. */
  take(entry: Acquisition): boolean {
    if (entry.read === undefined || !this.flows(entry.read)) return false
    this.#lane?.take(entry)
    return true
  }

  /** Lets go on what came before it could, as from the beginning of a hold or from when the connections were open. */
  moveIn(): void {
    if (!this.#isFlowing) return
    this.#moveIn(this.#view.line.queue.entries(), this.#lane)
  }

  #moveIn(entries: readonly Acquisition[], lane: ReadLane | undefined): void {
    const { line } = this.#view
    const end = performance.now() + SLICE_MILLIS
    for (const [at, entry] of entries.entries()) {
      if (!this.#isFlowing || lane !== this.#lane) return
      if (performance.now() >= end) {
        setImmediate(() => this.#moveIn(entries.slice(at), lane))
        break
      }
      if (entry.read === undefined || entry.queue !== line.queue || !this.#isRead(entry.read)) continue
      line.queue.remove(entry)
      lane?.take(entry)
    }
    line.watch()
  }

  /** Starts no read any more. Those that were not sent wait with everything else, in the order of their calls. */
  stop(): void {
    this.#lane?.stop()
  }

  /** Gives the connections up: the side may be left now. */
  close(): void {
    this.#gaveUp = false
    this.#drop()
  }

  #drop(): void {
    const lane = this.#lane
    this.#opening = undefined
    if (lane === undefined) return
    this.#lane = undefined
    lane.stop()
    this.#leaving.set(
      lane,
      setTimeout(() => this.#end(lane), CLOSE_AFTER_MILLIS),
    )
  }

  #end(lane: ReadLane): void {
    this.#leaving.delete(lane)
    const closed = lane.end().finally(() => this.#closing.delete(closed))
    this.#closing.add(closed)
  }

  /** Resolves when every connection is closed, those with a read under way when it is done. */
  async closed(): Promise<void> {
    this.close()
    for (const [lane, timer] of this.#leaving) {
      clearTimeout(timer)
      this.#end(lane)
    }
    await Promise.all([...this.#closing, this.#catalogs.end()])
  }

  /** Whether the server has refused what ran on one of the connections, since it was no read. */
  isMistake(error: unknown, client: InnerClient): boolean {
    const { code } = Object(error) as { code?: unknown }
    return code === FENCE_SQLSTATE && readFence(error) === undefined && this.#clients.has(client)
  }

  mistaken(text: string): void {
    if (this.#mistaken.size >= MISTAKES) this.#mistaken.clear()
    this.#mistaken.add(text)
  }

  async #open(): Promise<void> {
    const { texts, heldReadsMax } = this.#options
    if (heldReadsMax === 0) return
    let lane: ReadLane | undefined
    try {
      // Neither is needed before the first move.
      const [{ ReadLane }, statements] = await Promise.all([import('./read-lane.js'), texts.load()])
      if (!this.#isWanted || this.#gaveUp) return
      const { side, pools } = this.#view
      const { options, totalCount } = pools[side].inner
      lane = this.#lane ??= new ReadLane(pools[side], heldReadsMax ?? Math.min(options.max, USUAL_MAX), {
        mayStart: ({ read }) => read !== undefined && this.flows(read),
        started: (client) => {
          this.#clients.add(client)
          this.#view.counters.heldReads++
        },
        failed: (error) => this.#failed(error),
        back: (entries) => this.#view.line.takeIn(entries),
      })
      await lane.open(Math.max(1, totalCount), statements)
      if (lane !== this.#lane) return
      this.moveIn()
      this.#view.guests.routeChanged()
    } catch (error) {
      if (lane === undefined || lane === this.#lane) this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    this.#gaveUp = true
    this.#drop()
    const { name, events } = this.#options
    const reason = error instanceof Error ? error.message : String(error)
    const message = `reads wait in a hold like everything else, since none can be answered by the ${this.#view.side} side: ${reason}`
    events.publish('warning', { name, code: 'HELD_READS', message })
  }

  get #isWanted(): boolean {
    const { state } = this.#view
    return state.kind === 'armed' || (state.kind === 'held' && state.reads)
  }

  get #isFlowing(): boolean {
    const { state } = this.#view
    return state.kind === 'held' && state.reads && this.#lane?.ready === true
  }

  #isRead(text: string): boolean {
    return this.#options.texts.isRead(text, this.#view.side) && !this.#mistaken.has(text)
  }
}
