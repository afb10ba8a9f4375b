// Looks after the mirror on a timer: moves idle slots forward, and measures how far it is behind.
import type { Migration } from '../control/migration.js'
import { LagMeter, type MirrorStatus } from '../mirror/lag.js'
import { housekeeping } from '../mirror/replication.js'
import { PHASES, writerOf, type Phase, type Side } from '../phase/phases.js'

const TURN_MILLIS = 5_000

/** Measures one kind of mirror. */
export interface MirrorMeter {
  /** What was measured last; undefined if that was of another direction. */
  latest(from: Side): MirrorStatus | undefined
  /** Never rejects. */
  measure(m: Migration, from: Side): Promise<void>
}

export class MirrorWatch {
  readonly #m: Migration
  readonly #phase: () => Phase | undefined
  #meter: MirrorMeter = new LagMeter()
  #timer: NodeJS.Timeout | undefined
  /** Why there was no housekeeping, as it was told last. */
  #told: string | undefined
  #looking = false

  /** `phase` is undefined while nothing must be touched, as during a change of writer. */
  constructor(m: Migration, phase: () => Phase | undefined) {
    this.#m = m
    this.#phase = phase
  }

  /** The mirror of this phase as it was last seen; undefined before it was, and where the phase has none. */
  status(phase: Phase | undefined): MirrorStatus | undefined {
    return this.#has(phase) ? this.#meter.latest(writerOf(phase)) : undefined
  }

  /** Before {@link start}: another meter than that of replication. */
  use(meter: MirrorMeter): void {
    this.#meter = meter
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.look()
      this.#keepHouse()
    }, TURN_MILLIS).unref()
    this.look()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** One or two short statements on the writer's control connection; nobody waits for it. */
  look(): void {
    const phase = this.#phase()
    if (this.#looking || !this.#has(phase)) return
    this.#looking = true
    void this.#meter.measure(this.#m, writerOf(phase)).finally(() => {
      this.#looking = false
    })
  }

  #keepHouse(): void {
    if (this.#m.mirror !== 'replication' || !this.#has(this.#phase())) return
    housekeeping(this.#m).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error)
      // A right that is missing is missing each time.
      if (this.#phase() === undefined || message === this.#told) return
      this.#told = message
      this.#m.events.publish('warning', { name: this.#m.name, code: 'HOUSEKEEPING', message })
    })
  }

  #has(phase: Phase | undefined): phase is Phase {
    return phase !== undefined && this.#m.mirror !== 'none' && PHASES[phase].mirroredTo !== undefined
  }
}
