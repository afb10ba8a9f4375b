// What a benchmark of a fleet and its processes say to each other.
import type { CutoverEvent, Phase, Side } from '../../src/index.js'

export interface FleetOrder {
  readonly name: string
  readonly urls: Readonly<Record<Side, string>>
  /** Of the server that is the old side: an answer from it is an answer of that side. */
  readonly oldPort: number
  /** How many members this one process is; each has pools, connections and a gate of its own. */
  readonly members: number
  /** False: a pool with the same facade that knows of no other process. */
  readonly control: boolean
  readonly mirror: 'replication' | 'none'
  /** Callers of each member, and the writes a second of all callers of all members of the process together. */
  readonly callers: number
  readonly rate: number
  /** Rows to write to, from 1 on. */
  readonly items: number
  /** Of the moments and the rows of its writers. */
  readonly seed: number
}

export type Question =
  | { readonly do: 'go' | 'stop' | 'begin' | 'end' | 'tell' }
  | { readonly do: 'advance'; readonly to: Phase }

/** The writes since `begin`, by one clock for the whole machine. */
export interface Told {
  readonly old: Span
  readonly new: Span
  readonly longestMillis: number
  readonly failed: number
  readonly failure: string | undefined
  readonly cpuMicros: number
  readonly millis: number
}

/** The first and the last acknowledgement, and how many there were; undefined where there was none. */
export interface Span {
  readonly first: number | undefined
  readonly last: number | undefined
  readonly count: number
}

export type Answer = Told | CutoverEvent | undefined
