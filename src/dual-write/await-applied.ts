// Bounds how long the work of a caller waits for the other side, and says what is true when it has waited too long.
import { CutoverError } from '../errors.js'

/** How far the mirror of this process is. */
export interface AppliedMirror {
  /** Whether the writer's changes are written to the other side at all. */
  readonly active: boolean
  /** Something was committed: the relay may look at once. */
  wake(): void
  /** Resolves when everything that was committed before the call is on the other side; rejects when `signal` aborts. */
  passed(signal: AbortSignal): Promise<void>
}

export class AppliedWaiter {
  readonly #mirror: () => AppliedMirror | undefined
  readonly #timeoutMillis: number
  readonly #waiting = new Set<AbortController>()
  #closed = false

  constructor(mirror: () => AppliedMirror | undefined, timeoutMillis: number) {
    this.#mirror = mirror
    this.#timeoutMillis = timeoutMillis
  }

  /**
   * Resolves when the other side has everything that is committed now; undefined where there is nothing to wait for.
   * Rejects with `ERR_NOT_APPLIED` where that takes too long, and `result` is then on the error, since it cannot be had again.
   */
  wait(result?: unknown): Promise<void> | undefined {
    const mirror = this.#mirror()
    if (!mirror?.active) return undefined
    if (this.#closed) return Promise.reject(notApplied(ENDED, result))
    const waiting = new AbortController()
    this.#waiting.add(waiting)
    // Somebody waits for this, so it keeps the process alive as the statement before it did.
    const timer = setTimeout(() => waiting.abort(), this.#timeoutMillis)
    const over = (): void => {
      clearTimeout(timer)
      this.#waiting.delete(waiting)
    }
    mirror.wake()
    return mirror.passed(waiting.signal).then(over, () => {
      over()
      throw notApplied(this.#closed ? ENDED : `within ${this.#timeoutMillis} ms (awaitTimeoutMillis)`, result)
    })
  }

  /** Nobody will say any more what has reached the other side. */
  close(): void {
    this.#closed = true
    for (const waiting of this.#waiting) waiting.abort()
  }
}

const ENDED = 'before the migration was ended in this process'

function notApplied(when: string, result: unknown): CutoverError {
  const error = new CutoverError(
    'ERR_NOT_APPLIED',
    `the work is committed on the writer and on record, and the other side was not seen to have it ${when}; it will have it, so do not repeat the work`,
  )
  // Not enumerable: whoever logs an error does not want the rows of a user in it.
  return Object.defineProperty(error, 'result', { value: result })
}
