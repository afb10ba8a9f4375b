// Looks now and then whether both sides still plan a statement alike.
import type { Side } from '../phase/phases.js'
import type { Book } from './book.js'
import type { KnownRead } from './known-reads.js'
import { planPair, planShape } from './plan-shape.js'
import type { Reply } from './reply.js'

const AGAIN_MILLIS = 10 * 60_000
const REMEMBERED = 1_000

type Ask = (side: Side, text: string, values: readonly unknown[]) => Promise<Reply>

export class Plans {
  readonly #ask: Ask
  readonly #book: Book
  readonly #lookedAt = new Map<string, number>()

  constructor(ask: Ask, book: Book) {
    this.#ask = ask
    this.#book = book
  }

  /** With the values of this call, since they may decide the plan. */
  async look({ fingerprint, text }: KnownRead, values: readonly unknown[]): Promise<void> {
    const now = performance.now()
    if (now - (this.#lookedAt.get(fingerprint) ?? -AGAIN_MILLIS) < AGAIN_MILLIS) return
    if (this.#lookedAt.size >= REMEMBERED) this.#lookedAt.clear()
    this.#lookedAt.set(fingerprint, now)
    const explain = `explain (format json, costs off) ${text}`
    const [old, opened] = await Promise.all([
      this.#ask('old', explain, values),
      this.#ask('new', explain, values),
    ])
    const [one, other] = [shapeOf(old), shapeOf(opened)]
    if (one !== undefined && other !== undefined) this.#book.planned(fingerprint, planPair(one, other))
  }
}

function shapeOf(reply: Reply): string | undefined {
  const [row] = (reply.kind === 'answer' && reply.answer.rows) || []
  const [json] = row ?? []
  return typeof json === 'string' ? planShape(json) : undefined
}
