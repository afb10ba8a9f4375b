// What the processes of a bank and the one that has started them say to each other: one line of JSON each.
import { writeSync } from 'node:fs'
import type { Phase, Side } from '../../src/phase/phases.js'

export interface BankOrder {
  readonly name: string
  /** As the services' role; each process has ways of its own, which can be cut. */
  readonly pools: Readonly<Record<Side, string>>
  /** As the owner, over further ways. */
  readonly control: Readonly<Record<Side, string>>
  /** libpq connection strings by which one server reaches the other, for the mirror. */
  readonly reachedBy: Readonly<Record<Side, string>>
  /** Where the board and this process's log are. */
  readonly board: string
  readonly log: string
  readonly seed: number
  /** The numbers of this process's writers, and the first number that they give their writes. */
  readonly writers: readonly number[]
  readonly from: number
  /** Whose acknowledged writes are looked for. */
  readonly others: readonly number[]
  readonly pauseMillis: number
  /** Between two reads of somebody who does nothing else; 0 where there is nobody. */
  readonly readMillis: number
  readonly timings: Readonly<Record<string, number>>
  /** Whether another process's acknowledged writes have to be seen by a read that begins later. */
  readonly fresh: boolean
}

export type Command =
  | { readonly do: 'advance'; readonly to: Phase; readonly pauseAt: string }
  | { readonly do: 'where'; readonly id: number }
  | { readonly do: 'clock'; readonly millis: number }
  | { readonly do: 'end' }

export type Said =
  | { readonly e: 'ready' }
  | { readonly e: 'paused'; readonly step: string; readonly epoch: number }
  | { readonly e: 'outcome'; readonly outcome: string; readonly reason?: string }
  | {
      readonly e: 'where'
      readonly id: number
      readonly phase: Phase | undefined
      readonly side: Side
      readonly route: string
      /** How long it has held by now, without the time that it was stopped. */
      readonly heldMillis: number
      /** Writes that were acknowledged since it began. */
      readonly writes: number
    }
  | { readonly e: 'hold'; readonly millis: number; readonly side: Side }
  | { readonly e: 'violation'; readonly what: string }
  | { readonly e: 'error'; readonly code: string; readonly message: string }

export const say = (said: Said): void => void writeSync(1, `${JSON.stringify(said)}\n`)

/** The application's own bounds, as a careful service has them: a way that swallows everything must not keep a call for ever. */
export const CALL_MILLIS = 4_000

/** As a code where there is one. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ('code' in error && typeof error.code === 'string') return error.code
  if (/read timeout/.test(error.message)) return 'READ_TIMEOUT'
  if (/timeout exceeded when trying to connect|timeout expired|due to connection timeout/.test(error.message))
    return 'CONNECT_TIMEOUT'
  return /terminated|closed|not queryable|ended by/i.test(error.message) ? 'ECONN' : error.message
}
