// Decides for each call of a gated route whether it starts at once, waits, or fails.
import type { Side } from '../phase/phases.js'
import { isGated, phaseUnknown, poolEnded, type CoreState } from './core-state.js'
import { readFence } from './fence-error.js'
import type { Acquisition } from './hold-queue.js'
import type { NestedTurns } from './nested-turns.js'
import type { AcquireCallback, InnerPool } from './pg-internals.js'
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

  acquire(callback: AcquireCallback, kind: 'query' | 'connect'): Acquisition {
    const { state, line, turns } = this.#view
    const pool = this.#pool
    // Asked for in the turn of a client that is still out: whoever has that client may wait for this call.
    const lease = state.kind === 'held' && !state.shut ? turns.current(pool.leased()) : undefined
    const perhapsNested = kind === 'query' || state.kind !== 'held' || lease === 'perhaps'
    const within = typeof lease === 'object' ? lease : undefined
    const entry = line.entry(callback, { perhapsNested, within }, pool.inner.options.connectionTimeoutMillis)
    if (!isGated(state)) this.#passBy(entry)
    else if (pool.hasSlot && (within ?? (line.isMoving && line.length === 0))) line.start(entry, pool)
    else line.append(entry)
    return entry
  }

  acquireAgain(first: Acquisition, callback: AcquireCallback): void {
    const entry = { ...first, callback }
    if (isGated(this.#view.state)) this.#view.line.prepend(entry)
    else this.#passBy(entry)
  }

  rerunnable(text: unknown, values: unknown): QueryPool | undefined {
    const { rerun } = this.#view
    if (rerun === undefined) return undefined
    const statement = typeof text === 'string' ? text : plainText(text)
    const usual = values === undefined || Array.isArray(values) || typeof values === 'function'
    if (statement === undefined || !usual || !rerun.isOnePlainStatement(statement)) return undefined
    return new RerunnableClient(this)
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
