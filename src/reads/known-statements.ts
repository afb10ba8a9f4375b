// Remembers what texts are: a bounded number of them, and one analysis for all that have an equal one.
import { LRUCache } from 'lru-cache'
import type { Side } from '../phase/phases.js'
import type { Catalog } from './catalog.js'
import type { Flags } from './flags.js'
import type { Statement } from './statement.js'

const TEXTS = 10_000
const TEXT_BYTES = 12 * 1024 * 1024
/** Longer ones are made anew for each call as a rule, and would push out those that come again. */
const LONGEST_KEPT_BYTES = 64 * 1024
const SHAPES = 5_000
const SHAPE_BYTES = 8 * 1024 * 1024

/** A statement with the judgement of each side's catalogs of the moment. */
export interface Known {
  readonly statement: Statement
  readonly judged: Record<Side, { readonly catalog: Catalog; readonly flags: Flags } | undefined>
}

export class KnownStatements {
  readonly #analyse: (text: string) => Statement
  readonly #texts = new LRUCache<string, Known>({
    max: TEXTS,
    maxSize: TEXT_BYTES,
    maxEntrySize: LONGEST_KEPT_BYTES,
    // Two bytes a letter at most, and the entry itself.
    sizeCalculation: (_, text) => text.length * 2 + 200,
  })
  readonly #shapes = new LRUCache<string, Known>({
    max: SHAPES,
    maxSize: SHAPE_BYTES,
    maxEntrySize: LONGEST_KEPT_BYTES,
    // The key, and what it was made of.
    sizeCalculation: (_, shape) => shape.length * 3 + 200,
  })

  constructor(analyse: (text: string) => Statement) {
    this.#analyse = analyse
  }

  of(text: string): Known {
    const before = this.#texts.get(text)
    if (before !== undefined) return before
    const statement = this.#analyse(text)
    const shape = JSON.stringify(statement)
    let known = this.#shapes.get(shape)
    if (known === undefined) {
      known = { statement, judged: { old: undefined, new: undefined } }
      this.#shapes.set(shape, known)
    }
    this.#texts.set(text, known)
    return known
  }
}
