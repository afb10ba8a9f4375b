// Decides for each call of a gated route whether it starts at once, waits, or fails.
import type { Side } from '../phase/phases.js'
import { phaseUnknown, poolEnded, type CoreState } from './core-state.js'
import { readFence } from './fence-error.js'
import type { Acquisition } from './hold-queue.js'
import type { NestedTurns } from './nested-turns.js'
import type { AcquireCallback, InnerPool } from './pg-internals.js'
import { RerunnableClient, type RerunAdmission } from './rerun.js'
import type { Admission } from './route.js'
import type { SidePool } from './side-pool.js'
import type { WaitingLine } from './waiting-line.js'

/** What the admission needs to know of the gate. */
export interface AdmissionView {
  readonly state: CoreState
  readonly side: Side
  readonly pools: Readonly<Record<Side, SidePool>>
  readonly line: WaitingLine
  readonly turns: NestedTurns
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

  acquire(callback: AcquireCallback, kind: Acquisition['kind']): void {
    const { state, line } = this.#view
    if (state.kind === 'direct') return this.inner.connect(callback)
    if (state.kind === 'ended' || state.kind === 'refusing') {
      const error = state.kind === 'ended' ? poolEnded() : phaseUnknown()
      process.nextTick(() => callback(error, undefined, () => {}))
      return
    }
    const entry = line.append(callback, kind, this.inner.options.connectionTimeoutMillis)
    if (this.#mayStart(entry)) line.start(entry, this.#pool)
  }

  acquireFirst(callback: AcquireCallback): void {
    this.acquire(callback, 'query')
    const { line } = this.#view
    const entry = line.queue.tail
    if (entry?.callback === callback && line.queue.take(entry)) line.queue.prepend(entry)
    line.watch()
  }

  rerunnable(text: unknown, values: unknown): ((callback: AcquireCallback) => void) | undefined {
    const { rerun } = this.#view
    if (rerun === undefined) return undefined
    const statement = typeof text === 'string' ? text : plainText(text)
    const usual = values === undefined || Array.isArray(values) || typeof values === 'function'
    if (statement === undefined || !usual || !rerun.isOnePlainStatement(statement)) return undefined
    return (callback) => new RerunnableClient(this).acquire(callback)
  }

  isOurFence(error: unknown): boolean {
    const name = this.#view.rerun?.name
    return name !== undefined && readFence(error)?.name === name
  }

  get #pool(): SidePool {
    return this.#view.pools[this.#view.side]
  }

  #mayStart(entry: Acquisition): boolean {
    const { state, line } = this.#view
    if (state.kind === 'held') return !state.shut && this.#isNested()
    return line.queue.head === entry && line.isMoving && this.#pool.hasSlot
  }

  /** Asked for in the turn of a client that is still out: whoever has that client may wait for this call. */
  #isNested(): boolean {
    const client = this.#view.turns.current
    return client !== undefined && this.#pool.leased().includes(client)
  }
}

function plainText(config: unknown): string | undefined {
  if (typeof config !== 'object' || config === null) return undefined
  const { text, submit, rows } = config as { text?: unknown; submit?: unknown; rows?: unknown }
  return typeof text === 'string' && submit === undefined && rows === undefined ? text : undefined
}
