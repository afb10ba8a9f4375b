// What a benchmark gives for people, for machines and for the page: parts, each with its question, its table and its picture.
import type { Outcome } from './outcome.js'

export interface Report {
  readonly parts: readonly Part[]
}

export interface Part {
  /** A heading of the page, in the words of somebody who asks. */
  readonly title: string
  /** What is measured and how, in Markdown. */
  readonly how: string
  readonly outcomes: readonly Outcome[]
  readonly picture?: Picture
  /** What was left out and why, and why a limit is missed: plain sentences. */
  readonly notes?: readonly string[]
}

/** Drawn from the outcomes of its part. `bars`: one for each. `lines`: one for each series, over `x`. */
export interface Picture {
  readonly kind: 'bars' | 'lines'
  readonly title: string
  /** Of what is measured. */
  readonly unit: string
  /** Of `x`, for lines. */
  readonly along?: string
  /** Default linear. */
  readonly scale?: 'linear' | 'log'
}
