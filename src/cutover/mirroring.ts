// What a process does for the mirror of its migration: begins and ends it, has its part in the relay, and measures it.
import type { Migration } from '../control/migration.js'
import type { MirrorStatus } from '../mirror/lag.js'
import type { Phase } from '../phase/phases.js'
import type { DualWriting } from './dual-writing.js'
import { MirrorWatch } from './mirror-watch.js'

export class Mirroring {
  /** The initial copy runs, which may take days. */
  copying = false
  readonly #m: Migration
  readonly #watch: MirrorWatch
  #relay: DualWriting | undefined
  #closed = false

  /** `phase` is undefined while nothing must be touched, as during a change of writer. */
  constructor(m: Migration, phase: () => Phase | undefined) {
    this.#m = m
    this.#watch = new MirrorWatch(m, phase)
  }

  /** Where the mirror is by dual-write, from {@link load} on. */
  get relay(): DualWriting | undefined {
    return this.#relay
  }

  /** Before the first {@link rest}. */
  async load(): Promise<void> {
    if (this.#m.mirror !== 'dual-write' || this.#relay) return
    const { DualWriting } = await import('./dual-writing.js')
    this.#relay ??= new DualWriting(this.#m)
    this.#watch.use(this.#relay)
  }

  watch(): void {
    this.#watch.start()
  }

  look(): void {
    this.#watch.look()
  }

  status(phase: Phase | undefined): MirrorStatus | undefined {
    return this.#watch.status(phase)
  }

  /** What this process serves by from this turn on. */
  rest(phase: Phase): void {
    if (!this.#closed) this.#relay?.rest(phase)
  }

  /** The phase stands whatever could not be taken away: a side that was left may be switched off for good. */
  leftBehind(error: unknown): void {
    if (this.#closed) return
    const message = error instanceof Error ? error.message : String(error)
    this.#m.events.publish('warning', { name: this.#m.name, code: 'MIRROR_NOT_DROPPED', message })
  }

  /** From here on nothing is begun any more. */
  stop(): void {
    this.#closed = true
    this.#watch.stop()
  }

  async close(): Promise<void> {
    this.stop()
    await this.#relay?.close()
  }
}
