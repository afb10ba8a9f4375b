// How long a process may serve by what the side that it uses has told it.
import { CONFIRMED_MILLIS } from './words.js'

export class Confirmation {
  /** By `performance.now()`. Infinity as long as nothing can have moved, since no migration has begun. */
  until = Infinity
  readonly #lapsed: () => void
  #timer: NodeJS.Timeout | undefined

  /** `lapsed` is called once it has run out. */
  constructor(lapsed: () => void) {
    this.#lapsed = lapsed
  }

  get valid(): boolean {
    return performance.now() < this.until
  }

  /** How long it lasts yet; undefined where none is needed. */
  get millis(): number | undefined {
    return this.until === Infinity ? undefined : Math.max(0, Math.round(this.until - performance.now()))
  }

  /** The side in use was asked at `sentAt`, and its answer confirms. */
  confirm(sentAt: number): void {
    const until = sentAt + CONFIRMED_MILLIS
    if (this.until !== Infinity && until <= this.until) return
    this.#last(until)
  }

  /** A side that was not confirmed yet is used from now on. */
  begin(sentAt: number): void {
    this.#last(sentAt + CONFIRMED_MILLIS)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #last(until: number): void {
    this.until = until
    clearTimeout(this.#timer)
    // Not referenced: whoever is idle needs no confirmation.
    this.#timer = setTimeout(this.#lapsed, Math.max(0, until - performance.now())).unref()
  }
}
