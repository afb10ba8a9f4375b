// Asks both sides what a caller has asked and compares the answers; what differs is asked again until it is known why.
import { otherSide, type Side } from '../phase/phases.js'
import type { Statements } from '../reads/statements.js'
import type { Book } from './book.js'
import { mayDiffer } from './choice.js'
import { tellsTheTime } from './moving-values.js'
import type { CompareOptions } from './compare.js'
import { bySide, compareBySide, kindOfComparison, tellDifference } from './difference.js'
import type { KnownRead } from './known-reads.js'
import type { AnsweredRead } from './observed-route.js'
import { Plans } from './plans.js'
import { skipped, type Reply } from './reply.js'
import type { MismatchEvent } from '../events.js'
import type { Outcome, Skip } from './report.js'
import { kindOf, settleDifference, type Settled, type Settling } from './settle-difference.js'

/** One call that both sides were asked about, for sources that measure the migration. */
export interface ComparedCall {
  readonly side: Side
  readonly millis: number
  /** Of the other side; undefined where it gave no answer. */
  readonly otherMillis: number | undefined
  readonly consistent: boolean
}

export interface ComparerOptions {
  readonly book: Book
  readonly statements: Pick<Statements, 'isSteady' | 'isChoice' | 'ownLimit'>
  /** The side that the reads of the application go to. */
  readonly writer: Side
  readonly max: number
  readonly floatTolerance: number
  readonly values: boolean
  /** Never rejects. */
  readonly ask: (side: Side, text: string, values: readonly unknown[]) => Promise<Reply>
  /** Whether a side knows what the text names, without running any of it. Never rejects. */
  readonly parse: (side: Side, text: string) => Promise<Reply>
  /** False while the writer may be about to change: nothing is asked then. */
  readonly mayAsk: () => boolean
  readonly passed: (round: number) => Promise<boolean>
  readonly pause: (round: number) => Promise<void>
  readonly differs: (mismatch: Omit<MismatchEvent, 'name'>) => void
  readonly compared: (call: ComparedCall) => void
  readonly failed: (error: unknown) => void
}

const WAITING_FOR_EACH = 4
const SETTLED_FOR_EACH = 2

export class Comparer {
  readonly #options: ComparerOptions
  readonly #other: Side
  readonly #plans: Plans
  readonly #waiting: AnsweredRead[] = []
  readonly #underWay = new Set<Promise<void>>()
  #running = 0
  #settling = 0
  #closed = false

  constructor(options: ComparerOptions) {
    this.#options = options
    this.#other = otherSide(options.writer)
    this.#plans = new Plans((side, text, values) => this.#ask(side, text, values), options.book)
  }

  get hasRoom(): boolean {
    return this.#running + this.#waiting.length < this.#options.max * (1 + WAITING_FOR_EACH)
  }

  /** Takes a copy of a call whose caller has had an answer. */
  take(answered: AnsweredRead): void {
    if (this.#closed) return this.#skip('interrupted')
    if (!this.hasRoom) return this.#skip('busy')
    if (this.#running >= this.#options.max) this.#waiting.push(answered)
    else this.#begin(answered)
  }

  /** Everything under way ends as interrupted, whoever asks for it has to be cut off. */
  async close(): Promise<void> {
    this.#closed = true
    for (const _ of this.#waiting.splice(0)) this.#skip('interrupted')
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  #begin(answered: AnsweredRead): void {
    this.#running++
    this.#follow(this.#compare(answered), () => {
      this.#running--
      const next = this.#closed ? undefined : this.#waiting.shift()
      if (next) this.#begin(next)
    })
  }

  #follow(work: Promise<void>, ended: () => void): void {
    const fail = (error: unknown): void => {
      if (this.#closed) this.#skip('interrupted')
      else this.#options.failed(error)
    }
    const followed = work.catch(fail).finally(() => {
      this.#underWay.delete(followed)
      ended()
    })
    this.#underWay.add(followed)
  }

  async #compare({ read, values }: AnsweredRead): Promise<void> {
    const { writer, statements } = this.#options
    // The catalogs may have been read again since the call was chosen.
    if (!statements.isSteady(read.text, writer) || tellsTheTime(values)) return this.#skip('volatile')
    const ask = {
      writer: () => this.#ask(writer, read.text, values),
      other: () => this.#askOther(read, values),
    }
    const [first, second] = await Promise.all([ask.writer(), ask.other()])
    const left = [first, second].find((reply) => reply.kind === 'skipped')
    if (left) return this.#skip(left.why)
    // The caller has had an answer: what our own session is refused lies in that session and says nothing of either side.
    if (first.kind === 'failed') return this.#skip('unavailable')
    const settling: Settling = {
      askWriter: ask.writer,
      askOther: ask.other,
      passed: this.#options.passed,
      pause: this.#options.pause,
      compare: async (one, two) => kindOfComparison(await compareBySide(writer, one, two, this.#how(read))),
      free: (one, two) =>
        statements.isChoice(read.text, writer) &&
        mayDiffer(statements.ownLimit(read.text, writer), values, one, two),
    }
    if ((await kindOf(settling, first, second)) === 'equal') {
      this.#note(read, { outcome: 'equal', writer: first, other: second }, [first, second])
      return this.#plans.look(read, values)
    }
    if (await this.#cannotTell(read, first, second)) return this.#skip('tooLarge')
    if (this.#settling >= this.#options.max * SETTLED_FOR_EACH) return this.#skip('busy')
    this.#settling++
    this.#follow(this.#settle(read, settling, [first, second]), () => this.#settling--)
  }

  /** Nothing is asked while the writer may be about to change, be it in the middle of a comparison. */
  #ask(side: Side, text: string, values: readonly unknown[]): Promise<Reply> {
    const { ask, mayAsk } = this.#options
    return mayAsk() ? ask(side, text, values) : Promise.resolve(skipped('interrupted'))
  }

  /**
   * What is no steady read by the other side's catalogs is not run there, and not planned either: a plan may run functions.
   * It is only parsed, which tells a statement that will fail there, since a table or a function is missing, from one that
   * does more than read there.
   */
  async #askOther(read: KnownRead, values: readonly unknown[]): Promise<Reply> {
    const { statements, parse, mayAsk } = this.#options
    if (statements.isSteady(read.text, this.#other)) return this.#ask(this.#other, read.text, values)
    if (!mayAsk()) return skipped('interrupted')
    const parsed = await parse(this.#other, read.text)
    return parsed.kind === 'answer' ? skipped('volatile') : parsed
  }

  async #settle(read: KnownRead, settling: Settling, first: readonly [Reply, Reply]): Promise<void> {
    const settled = await settleDifference(settling)
    if ('why' in settled) return this.#skip(settled.why)
    if (this.#closed) return this.#skip('interrupted')
    const { outcome, writer, other } = settled
    // Of lag there is nothing left to be seen in the last replies.
    const [one, two] = outcome === 'lag' || writer.kind === 'skipped' ? first : [writer, other]
    const replies = bySide(this.#options.writer, one, two)
    const told = await tellDifference(replies, this.#how(read), this.#options.values)
    this.#note(read, settled, first, told)
    if (outcome !== 'equal')
      this.#options.differs({ fingerprint: read.fingerprint, outcome, detail: told.detail })
  }

  #note(
    read: KnownRead,
    { outcome }: Settled,
    [first, second]: readonly [Reply, Reply],
    mismatch?: Awaited<ReturnType<typeof tellDifference>>,
  ): void {
    const { book, writer, compared } = this.#options
    if (this.#closed) return this.#skip('interrupted')
    const { fingerprint, shown: text } = read
    const [millis, otherMillis] = [millisOf(first), millisOf(second)]
    book.add({ fingerprint, text, outcome, millis: bySide(writer, millis, otherMillis), mismatch })
    if (millis !== undefined && outcome !== 'unsettled')
      compared({ side: writer, millis, otherMillis, consistent: CONSISTENT[outcome] })
  }

  async #cannotTell(read: KnownRead, first: Reply, second: Reply): Promise<boolean> {
    if (first.kind !== 'answer' || second.kind !== 'answer') return false
    const found = await compareBySide(this.#options.writer, first.answer, second.answer, this.#how(read))
    return found.kind === 'tooLarge'
  }

  #how({ ordered }: KnownRead): CompareOptions {
    return { ordered, floatTolerance: this.#options.floatTolerance }
  }

  #skip(why: Skip): void {
    this.#options.book.skip(this.#closed ? 'interrupted' : why)
  }
}

const CONSISTENT: Readonly<Record<Exclude<Outcome, 'unsettled'>, boolean>> = {
  equal: true,
  lag: true,
  order: true,
  real: false,
}

const millisOf = (reply: Reply): number | undefined =>
  reply.kind === 'answer' ? reply.answer.millis : undefined
