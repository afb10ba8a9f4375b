// What is wrong on purpose in two databases, and what preflight has made of it.
import type { Finding } from '../../../src/coordinator/preflight.js'
import type { Fixture } from '../mirror/fixture.js'

/** What makes preflight find this code: statements for both sides, then for one of them. */
export interface Planted {
  readonly code: string
  readonly title?: string
  readonly both?: string
  readonly old?: string
  readonly new?: string
}

/** `named` fills in what is known only when the databases are there. */
export async function plant(f: Fixture, row: Planted, named = (text: string): string => text): Promise<void> {
  for (const side of ['both', 'old', 'new'] as const) {
    const text = row[side]
    if (text !== undefined) await f[side](named(text))
  }
}

/** Rows with a title of their own, as `it.each` takes them. */
export const titled = <Row extends Planted>(rows: readonly Row[]): (readonly [string, Row])[] =>
  rows.map((row) => [`${row.code} ${row.title ?? ''}`.trim(), row])

/** What tells one finding from another; its words are looked at where they matter. */
export const seen = ({ code, severity, side, object }: Finding) => ({ code, severity, side, object })
