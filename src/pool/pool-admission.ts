// Decides for each call of a gated route whether it starts at once, waits, or fails.
import type { Side } from '../phase/phases.js'
import { backendToCancel, sideOfBackend } from './cancel.js'
import { isDraining, isGated, type CoreState } from './gate-state.js'
import { phaseUnknown, poolEnded } from './refusals.js'
import { readFence } from './fence-error.js'
import type { HeldReads } from './held-reads.js'
import { HoldQueue, type Acquisition } from './hold-queue.js'
import type { NestedTurns } from './nested-turns.js'
import type { AcquireCallback, InnerClient, InnerPool } from './pg-internals.js'
import type { Pins } from './pins.js'
import { RerunnableClient, type RerunAdmission } from './rerun.js'
import type { Admission, QueryPool } from './route.js'
import type { SidePool } from './side-pool.js'
import type { WaitingLine } from './waiting-line.js'

/** What the admission needs to know of the gate. */
export interface AdmissionView {
  readonly state: CoreState
  readonly side: Side
  readonly pools: Readonly<Record<Side, SidePool>>
  readonly line: WaitingLine
  readonly turns: NestedTurns
  readonly pins: Pins
  readonly reads: HeldReads
  /** Everything of the application that may have work under way on the side in use. */
  leased(): readonly InnerClient[]
  /** The migration's name if statements that met its fence may run again, and which of them. */
  readonly rerun:
    | { readonly name: string; readonly isOnePlainStatement: (text: string) => boolean }
    | undefined
}

export class PoolAdmission implements Admission, RerunAdmission {
  readonly #view: AdmissionView

  constructor(view: AdmissionView) {
    this.#view = view
  }

  get inner(): InnerPool {
    return this.#pool.inner
  }

  acquire(callback: AcquireCallback, kind: 'query' | 'connect', read?: string): Acquisition {
    const { line, reads } = this.#view
    const pool = this.#pool
    const entry = this.#entry(callback, kind)
    entry.read = read
    // What is asked within a pin or a transaction is what the drain waits for, and goes where the rest of it goes.
    const belongs = entry.nested && (entry.within === null || pool.hasSlot)
    if (!belongs && reads.take(entry)) return entry
    if (!isGated(this.#view.state)) this.#passBy(entry)
    else if (pool.hasSlot && (entry.nested || (line.isMoving && line.length === 0))) line.start(entry, pool)
    else line.append(entry)
    return entry
  }

  /** Waits as a query does, and takes a word on the side in place of a client. */
  pin<T>(work: (side: Side) => T | PromiseLike<T>): Promise<T> {
    const { state, pins } = this.#view
    if (state.kind === 'direct') return pins.run(state.side, false, work)
    return new Promise((resolve, reject) => {
      this.enter((error) => {
        // Counted in the very turn in which it was let through.
        if (error) reject(error)
        else resolve(pins.run(this.#view.side, true, work))
      })
    })
  }

  /**
   * Waits as a query does and takes no client: `begin` is called when the call may go on, with an error where it never
   * may. What is asked in the turn of `own` itself is not nested in it.
   */
  enter(begin: AcquireCallback, own?: InnerClient): Acquisition {
    const { state, line } = this.#view
    const entry = this.#entry(begin, 'query', own ?? null)
    if (!isGated(state)) this.#passBy(entry)
    else if (entry.nested || (line.isMoving && line.length === 0)) line.start(entry, this.#pool)
    else line.append(entry)
    return entry
  }

  /** The lease that a call made now belongs to, null where it is a pin; undefined while not draining, or if it is none. */
  outer(own?: InnerClient): InnerClient | null | undefined {
    return this.#descent(own).within
  }

  #entry(callback: AcquireCallback, kind: 'query' | 'connect', clientless?: InnerClient | null): Acquisition {
    const { state, side, line, pins } = this.#view
    const { within, lease } = this.#descent(clientless ?? undefined)
    const given = {
      perhapsNested:
        kind === 'query' || state.kind !== 'held' || lease === 'perhaps' || pins.someUnmarked(side),
      nested: within !== undefined,
      within,
      clientless: clientless !== undefined,
      own: clientless ?? undefined,
    }
    const waitMillis = this.#pool.inner.options.connectionTimeoutMillis
    return line.entry(callback, given, waitMillis)
  }

  /** Asked for in the turn of a client that is still out: whoever has that client may wait for this call. */
  #descent(own: InnerClient | undefined): {
    readonly lease: InnerClient | 'perhaps' | undefined
    readonly within: InnerClient | null | undefined
  } {
    const { state, turns, pins, side } = this.#view
    const shut = state.kind === 'held' && state.shut
    // In front while merely armed as well: what waits for a free slot when the hold comes must not wait for its end.
    if (!shut && pins.current() === side) return { lease: undefined, within: null }
    if (!isDraining(state)) return { lease: undefined, within: undefined }
    const lease = turns.current(this.#view.leased().filter((client) => client !== own))
    return { lease, within: typeof lease === 'object' ? lease : undefined }
  }

  acquireAgain(first: Acquisition, callback: AcquireCallback): void {
    const entry = { ...first, callback }
    if (isGated(this.#view.state)) this.#view.line.prepend(entry)
    else this.#passBy(entry)
  }

  acquireAsWrite(first: Acquisition, callback: AcquireCallback): void {
    const { line, reads, state } = this.#view
    if (first.read !== undefined) reads.mistaken(first.read)
    const entry = { ...first, read: undefined, callback }
    if (!isGated(state)) return this.#passBy(entry)
    const again = new HoldQueue()
    again.append(entry)
    line.takeIn(again)
  }

  unusual(text: unknown, values: unknown): QueryPool | undefined {
    const { rerun, reads, state } = this.#view
    // It may be what the drain is waiting for. Before there is any phase nothing of ours runs anywhere.
    const processId = state.kind === 'unknown' ? undefined : backendToCancel(text, values)
    if (processId !== undefined) return this.#view.pools[sideOfBackend(this.#view, processId)].inner
    const statement = typeof text === 'string' ? text : plainText(text)
    const usual = values === undefined || Array.isArray(values) || typeof values === 'function'
    if (statement === undefined || !usual) return undefined
    const isPlain = rerun?.isOnePlainStatement(statement) ?? false
    const read = reads.mayFlow(statement) ? statement : undefined
    return isPlain || read !== undefined ? new RerunnableClient(this, isPlain, read) : undefined
  }

  isMistake(error: unknown, client: InnerClient): boolean {
    return this.#view.reads.isMistake(error, client)
  }

  isOurFence(error: unknown): boolean {
    const name = this.#view.rerun?.name
    return name !== undefined && readFence(error)?.name === name
  }

  get #pool(): SidePool {
    return this.#view.pools[this.#view.side]
  }

  /** For a call that began in a gated route and comes back in one without a line. */
  #passBy(entry: Acquisition): void {
    const { state, line } = this.#view
    if (state.kind === 'direct') line.start(entry, this.#pool)
    else line.fail(entry, state.kind === 'ended' ? poolEnded() : phaseUnknown())
  }
}

function plainText(config: unknown): string | undefined {
  if (typeof config !== 'object' || config === null) return undefined
  const { text, submit, rows } = config as { text?: unknown; submit?: unknown; rows?: unknown }
  return typeof text === 'string' && submit === undefined && rows === undefined ? text : undefined
}
