// The memory of one process across restarts: the phase it was to serve by, and what to do where that cannot be known.
import type { Phase } from './phases.js'
import { forget, look, put, reasonOf, sweep } from './state-disk.js'

// A disk that does not answer must not keep a process on the wrong side.
const PATIENCE_MILLIS = 1_000
const RETRY_MILLIS = 30_000

export class StateFile {
  readonly path: string
  readonly #name: string
  readonly #warn: (message: string) => void
  #fault: string | undefined
  #wanted: Phase | undefined
  /** What is wanted is not being written yet. */
  #waits = false
  #swept = false
  #closed = false
  #working: Promise<true> | undefined
  #retry: NodeJS.Timeout | undefined

  /** `path` is absolute; `warn` is told of each new {@link StateFile.fault}. */
  constructor(path: string, name: string, warn: (message: string) => void) {
    this.path = path
    this.#name = name
    this.#warn = warn
  }

  /** Why the next start could not rely on the file, and what to do; undefined while it could. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** The phase that is remembered. Undefined with a fault: nobody knows; without one: there is no memory. */
  async read(): Promise<Phase | undefined> {
    const found = await patiently(look(this.path, this.#name))
    if (found?.kind === 'phase') return found.phase
    if (found?.kind === 'nothing') return undefined
    const { reason, replaceable } = found ?? {
      reason: `was not read within ${PATIENCE_MILLIS} ms`,
      replaceable: true,
    }
    const remedy = replaceable
      ? 'It is written anew when the source names one'
      : 'Nothing is written there until that is put right; another path may be given instead'
    this.#fail(
      `${reason}, so no phase is known until the source names one, and \`fallback\` does not apply. ${remedy}`,
    )
    return undefined
  }

  /**
   * Has the file name this phase, or none. Resolves when that is on the disk, and also when it could not be done in time:
   * then there is a fault, and the file is empty if it could be emptied. Never rejects. Of calls that overlap only the last
   * one counts.
   */
  store(phase: Phase | undefined): Promise<void> {
    this.#wanted = phase
    this.#waits = true
    return this.#written((this.#working ??= this.#work()))
  }

  /** Waits for what is being written, as long as any other call does. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#retry)
    if (this.#working) await this.#written(this.#working)
  }

  async #written(working: Promise<true>): Promise<void> {
    if (await patiently(working)) return
    this.#fail(
      `was not written within ${PATIENCE_MILLIS} ms, and a restart may find an earlier phase in it. See why its disk does not answer`,
    )
  }

  /** One at a time, so that what was asked for last is what stays. */
  async #work(): Promise<true> {
    clearTimeout(this.#retry)
    while (this.#waits) {
      this.#waits = false
      const wanted = this.#wanted
      try {
        await put(this.path, this.#name, wanted)
        this.#fault = undefined
        if (!this.#swept) await sweep(this.path)
        this.#swept = true
      } catch (error) {
        const found = await forget(this.path, this.#name, wanted)
        this.#fail(`${reasonOf(error)}, so ${found}. It is tried again until that is put right`)
        if (!this.#closed) this.#retry = setTimeout(() => this.#again(), RETRY_MILLIS).unref()
      }
    }
    this.#working = undefined
    return true
  }

  #again(): void {
    this.#waits = true
    this.#working ??= this.#work()
  }

  /** Told once as long as it stays the same. */
  #fail(what: string): void {
    const fault = `the state file ${this.path} ${what}`
    if (fault === this.#fault) return
    this.#fault = fault
    this.#warn(fault)
  }
}

/** What the work gives; undefined when it takes longer than anybody may wait for a disk. */
async function patiently<T>(work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), PATIENCE_MILLIS)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
