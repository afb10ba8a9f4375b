// What the demo and the further processes of its application say to each other.
import type { CutoverEvent, Phase, StepEvent } from '../src/index.js'
import type { Page, Side } from './ledger.js'
import type { MirrorName } from './mirrors.js'
import type { Seed } from './schema.js'
import type { Flag } from './movers.js'
import type { Load, Part } from './workload.js'

/** With what a process begins. */
export interface Order {
  readonly processes: number
  readonly part: Part
  readonly load: Load
  readonly seed: Seed
  readonly urls: Readonly<Record<Side, string>>
  readonly ports: Readonly<Record<Side, number>>
  readonly mirror: MirrorName
  readonly flag: Flag
  /** How long the transaction is that the first process keeps open; all have to bear with it. */
  readonly slow: number | undefined
  /** See `beginningOfClock`: of the demo's own process, by whose clock everything is told. */
  readonly clock: number
}

/** Each is answered by `done` with the same number. */
export interface Command {
  readonly do: 'go' | 'stop' | 'tell' | 'end'
  readonly nr: number
}

/** What one process has to say of itself, besides its ledger. */
export interface Tally {
  /** Calls of its own that waited in a hold, and the longest wait. */
  readonly held: { readonly calls: number; readonly longestMillis: number }
  readonly compared: Readonly<Record<'compared' | 'real' | 'lag' | 'order' | 'unsettled', number>>
  /** Compared reads that differ for real, in words. */
  readonly real: readonly string[]
}

export type Said =
  | { readonly e: 'done'; readonly nr: number }
  | { readonly e: 'page'; readonly page: Page }
  | { readonly e: 'phase'; readonly phase: Phase; readonly at: number }
  | { readonly e: 'step'; readonly step: StepEvent; readonly at: number }
  | { readonly e: 'cutover'; readonly cutover: CutoverEvent }
  | { readonly e: 'warning'; readonly message: string }
  | { readonly e: 'tally'; readonly tally: Tally }

/** In how small parts the ledger of another process arrives. */
export const PAGE_MILLIS = 40
