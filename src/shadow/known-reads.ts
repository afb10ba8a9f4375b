// Knows the texts of the application and decides which of their calls are compared, at the cost of a look at a map.
import { createHash } from 'node:crypto'
import type { Side } from '../phase/phases.js'
import type { Statements } from '../reads/statements.js'
import { shownText } from './shown-text.js'

/** A text that may be compared. */
export interface KnownRead {
  readonly text: string
  /** Its answer stays the same as long as no row is written. */
  readonly steady: boolean
  /** The sequence of its rows is its own. */
  readonly ordered: boolean
  readonly fingerprint: string
  /** Without users' values and comments; undefined where the parser is not installed, or is not sure of it. */
  readonly shown: string | undefined
  readonly quota: Quota
}

/** How often a statement may still be compared whatever the rate; shared by the texts of one fingerprint. */
interface Quota {
  left: number
}

export interface KnownReadsOptions {
  readonly statements: Statements
  /** Where the reads of the application go. */
  readonly side: Side
  readonly rate: number
  readonly perMinute: number
  /** Whether one more comparison could begin. */
  readonly hasRoom: () => boolean
  readonly skip: (why: 'busy' | 'volatile') => void
  readonly random?: () => number
}

/** Hashing a longer one at each call would cost more than the share of the caller's time that comparing may take. */
const LONGEST_TEXT = 10_000
const REMEMBERED_TEXTS = 5_000
/** Of all texts together. */
const REMEMBERED_CHARACTERS = 4_000_000
const MOST_WAITING = 100

// Looking into a text takes up to 0.1 ms. An application has some hundred of them; one that makes new ones all the time
// has a few of them looked into.
const AT_ONCE = 100
const PER_SECOND = 20
const MINUTE_MILLIS = 60_000

/** Nothing of this text will be compared, whatever the catalogs say. */
const NEVER = Symbol('never')
/** By what is known of functions and views now, it may do more than read. */
const NOT_NOW = Symbol('not now')

export class KnownReads {
  readonly #options: KnownReadsOptions
  readonly #texts = new Map<string, KnownRead | typeof NEVER | typeof NOT_NOW>()
  readonly #quotas = new Map<string, Quota>()
  readonly #waiting = new Set<string>()
  readonly #minutes: NodeJS.Timeout
  #characters = 0
  #steps: number
  #budget = AT_ONCE
  #budgetAt = performance.now()
  /** Takes the next look back. */
  #cancel: (() => void) | undefined
  #closed = false

  constructor(options: KnownReadsOptions) {
    this.#options = options
    this.#steps = this.#stepsToNext()
    this.#minutes = setInterval(() => this.#nextMinute(), MINUTE_MILLIS).unref()
  }

  /** The read that this text is, if this very call of it is to be compared. Asked at each call. */
  pick(text: string): KnownRead | undefined {
    if (text.length > LONGEST_TEXT) return undefined
    const known = this.#texts.get(text)
    if (typeof known !== 'object') {
      if (known === undefined) this.#meet(text)
      return undefined
    }
    return --this.#steps > 0 && known.quota.left < 1 ? undefined : this.#choose(known)
  }

  /** The catalogs may have changed: what could not be compared is looked into once more when it is seen again. */
  learnt(): void {
    for (const [text, known] of this.#texts)
      if (known === NOT_NOW || (typeof known === 'object' && !known.steady)) this.#forget(text)
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#minutes)
    this.#cancel?.()
    this.#waiting.clear()
  }

  #choose(read: KnownRead): KnownRead | undefined {
    const byRate = this.#steps <= 0
    if (byRate) this.#steps = this.#stepsToNext()
    if (!this.#options.hasRoom()) {
      // One that is due by its quota is still due at its next call.
      if (byRate) this.#options.skip('busy')
      return undefined
    }
    read.quota.left = Math.max(0, read.quota.left - 1)
    if (read.steady) return read
    this.#options.skip('volatile')
    return undefined
  }

  /** How many reads it is to the next one that is compared: as if each had been drawn by lot, with one draw for all. */
  #stepsToNext(): number {
    const { rate, random = Math.random } = this.#options
    if (rate >= 1) return 1
    if (rate <= 0) return Number.POSITIVE_INFINITY
    return Math.max(1, Math.ceil(Math.log(1 - random()) / Math.log(1 - rate)))
  }

  #nextMinute(): void {
    const { perMinute } = this.#options
    for (const quota of this.#quotas.values())
      quota.left = Math.min(quota.left + perMinute, Math.max(1, perMinute))
  }

  /** Looked into in a turn of its own, not in its caller's. */
  #meet(text: string): void {
    if (this.#closed || this.#waiting.size >= MOST_WAITING) return
    this.#waiting.add(text)
    if (this.#cancel === undefined) this.#lookNext()
  }

  #look(): void {
    this.#cancel = undefined
    const [text] = this.#waiting
    if (text === undefined || this.#closed) return
    if (!this.#mayLook()) {
      const timer = setTimeout(() => this.#look(), 1_000 / PER_SECOND).unref()
      this.#cancel = () => clearTimeout(timer)
      return
    }
    this.#waiting.delete(text)
    this.#remember(text)
    if (this.#waiting.size > 0) this.#lookNext()
  }

  #lookNext(): void {
    const turn = setImmediate(() => this.#look())
    this.#cancel = () => clearImmediate(turn)
  }

  #mayLook(): boolean {
    const now = performance.now()
    this.#budget = Math.min(AT_ONCE, this.#budget + ((now - this.#budgetAt) * PER_SECOND) / 1_000)
    this.#budgetAt = now
    if (this.#budget < 1) return false
    this.#budget--
    return true
  }

  #remember(text: string): void {
    this.#characters += text.length
    this.#texts.set(text, this.#read(text))
    while (this.#texts.size > REMEMBERED_TEXTS || this.#characters > REMEMBERED_CHARACTERS) {
      const [oldest = ''] = this.#texts.keys()
      this.#forget(oldest)
    }
  }

  #forget(text: string): void {
    this.#characters -= text.length
    this.#texts.delete(text)
  }

  #read(text: string): KnownRead | typeof NEVER | typeof NOT_NOW {
    const { statements, side } = this.#options
    const statement = statements.of(text)
    if (statement.verdict !== 'read') return NEVER
    if (!statements.isRead(text, side)) return NOT_NOW
    // Without the parser the text alone can tell one statement from another.
    const fingerprint = statements.fingerprint(text) ?? digestOf(text)
    return {
      text,
      steady: statements.isSteady(text, side),
      ordered: statement.ordered,
      fingerprint,
      shown: shownText(statements.normalised(text)),
      quota: this.#quota(fingerprint),
    }
  }

  #quota(fingerprint: string): Quota {
    const before = this.#quotas.get(fingerprint)
    if (before !== undefined) return before
    if (this.#quotas.size >= REMEMBERED_TEXTS) forgetOldest(this.#quotas)
    const { perMinute } = this.#options
    const quota = { left: perMinute === 0 ? 0 : Math.max(1, perMinute) }
    this.#quotas.set(fingerprint, quota)
    return quota
  }
}

function forgetOldest(map: Map<string, unknown>): void {
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}

const digestOf = (text: string): string => createHash('sha1').update(text).digest('hex').slice(0, 16)
