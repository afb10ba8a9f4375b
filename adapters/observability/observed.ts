// One migration as numbers: what its status says when asked, and what its events have added up to. No hook per query.
import { PHASES, type Cutover, type EventMap, type Side, type Status } from '../../src/index.js'
import { INSTRUMENTS, type CountedKey, type ReadKey, type TimedKey } from './instruments.js'

export type Labels = Readonly<Record<string, string>>

export interface Sample {
  /** Besides `migration`. */
  readonly labels: Labels
  readonly value: number
}

export type Readings = Readonly<Record<ReadKey, readonly Sample[]>>

/** Is told of each duration; what it throws is lost. */
export type Clock = (key: TimedKey, labels: Labels, seconds: number) => void

/** Its types tie an event to its message in a way that cannot be said of an event that is a parameter. */
interface Emitter {
  on(event: string, listener: (message: never) => void): void
  off(event: string, listener: (message: never) => void): void
}

const SIDES = ['old', 'new'] as const satisfies readonly Side[]
const ROUTES: Readonly<Record<Status['route'], true>> = {
  unknown: true,
  refusing: true,
  direct: true,
  armed: true,
  held: true,
  releasing: true,
  ended: true,
}

// Present from the beginning, so that the first event is seen as a step from 0.
const FROM_ZERO: readonly (readonly [CountedKey, Labels])[] = [
  ...SIDES.flatMap((side) =>
    ['done', 'aborted', 'pending'].map((outcome) => ['cutovers', { side, outcome }] as const),
  ),
  ...['followed', 'ignored', 'refused', 'unavailable'].map((outcome) => ['wishes', { outcome }] as const),
  ...SIDES.map((side) => ['sideErrors', { side }] as const),
]

export class Observed {
  readonly #cutover: Cutover
  readonly #clock: Clock
  readonly #stops: (() => void)[] = []
  readonly #sums = new Map<string, { key: CountedKey; labels: Labels; value: number }>()
  /** The last value of a counter that may begin anew, and what it had come to before. */
  readonly #grown = new Map<string, { last: number; before: number }>()
  #heldSince: number | undefined
  #heldMillis = 0

  constructor(cutover: Cutover, clock: Clock) {
    this.#cutover = cutover
    this.#clock = clock
    for (const [key, labels] of FROM_ZERO) this.#add(key, labels, 0)
    const { route, heldMillis } = cutover.status()
    if (route === 'held') this.#heldSince = performance.now() - heldMillis
    this.#hear('route', (event) => this.#routeChanged(event.route))
    this.#hear('step', ({ step, state, millis }) => {
      if (millis !== undefined) this.#time('stepDuration', { step, outcome: state }, millis)
    })
    this.#hear('cutover', ({ direction, outcome, pauseMillis }) => {
      const labels = { side: direction === 'old→new' ? 'new' : 'old', outcome }
      this.#add('cutovers', labels)
      if (pauseMillis > 0) this.#time('pause', labels, pauseMillis)
    })
    this.#hear('wish', ({ outcome }) => this.#add('wishes', { outcome }))
    this.#hear('sideError', ({ side }) => this.#add('sideErrors', { side }))
    this.#hear('warning', ({ code }) => this.#add('warnings', { code }))
  }

  stop(): void {
    for (const stop of this.#stops) stop()
  }

  /** Asks for the status once. */
  read(): Readings {
    const status = this.#cutover.status()
    const { mirror, shadow, held } = status
    const ofMirror = (value: number | undefined): Sample[] =>
      mirror === undefined || value === undefined ? [] : [{ labels: { side: mirror.to }, value }]
    const seconds = (millis: number | undefined): number | undefined => millis && millis / 1000
    return {
      phase: states('phase', PHASES, status.phase),
      route: states('route', ROUTES, status.route),
      epoch: one(status.epoch),
      waiting: one(status.waiting),
      inFlight: SIDES.map((side) => ({ labels: { side }, value: status.inFlight[side] })),
      holdAge: one(status.heldMillis / 1000),
      holdTime: one((this.#heldMillis + this.#presentHold()) / 1000),
      heldCalls: one(held.calls),
      heldReads: one(held.reads),
      heldLongest: one(held.longestMillis / 1000),
      fenceHits: one(status.fenceHits),
      mirrorBroken: ofMirror(mirror?.healthy === false ? 1 : 0),
      mirrorLag: ofMirror(seconds(mirror?.lagMillis)),
      mirrorAge: ofMirror(seconds(mirror?.ageMillis)),
      mirrorDepth: ofMirror(mirror?.lagBytes),
      mirrorRecords: ofMirror(mirror?.records),
      mirrorRate: ofMirror(mirror?.rowsPerSecond),
      mirrorLeading: ofMirror(mirror?.leading === undefined ? undefined : Number(mirror.leading)),
      mirrorStuck: ofMirror(mirror?.stuck),
      mirrorCopied: ofMirror(mirror?.backfilledRows),
      mirrorToCopy: ofMirror(mirror?.backfillRows),
      mirrorRetained: ofMirror(mirror?.retainedBytes),
      mirrorLook: ofMirror(mirror && Math.max(0, Date.now() - Date.parse(mirror.measuredAt)) / 1000),
      shadowReads: this.#ofShadow('shadowReads', shadow?.outcomes),
      shadowSkipped: this.#ofShadow('shadowSkipped', shadow?.skipped),
      cutovers: this.#added('cutovers'),
      wishes: this.#added('wishes'),
      sideErrors: this.#added('sideErrors'),
      warnings: this.#added('warnings'),
    }
  }

  #hear<K extends keyof EventMap>(event: K, listener: (message: EventMap[K][0]) => void): void {
    const emitter = this.#cutover as unknown as Emitter
    emitter.on(event, listener)
    this.#stops.push(() => emitter.off(event, listener))
  }

  #routeChanged(route: string): void {
    if (route === 'held') {
      this.#heldSince ??= performance.now()
      return
    }
    this.#heldMillis += this.#presentHold()
    this.#heldSince = undefined
  }

  #presentHold(): number {
    return this.#heldSince === undefined ? 0 : performance.now() - this.#heldSince
  }

  #add(key: CountedKey, labels: Labels, value = 1): void {
    const id = JSON.stringify([key, labels])
    const sum = this.#sums.get(id)
    if (sum) sum.value += value
    else this.#sums.set(id, { key, labels, value })
  }

  #added(key: CountedKey): Sample[] {
    return [...this.#sums.values()].filter((sum) => sum.key === key)
  }

  #time(key: TimedKey, labels: Labels, millis: number): void {
    try {
      this.#clock(key, labels, millis / 1000)
    } catch {
      // Thrown on, it would end the process as an uncaught exception; a duration that cannot be noted is lost.
    }
  }

  /** Counts that `cutover.shadow.reset()` sets back, which a counter must not. */
  #ofShadow(
    key: 'shadowReads' | 'shadowSkipped',
    counts: Readonly<Record<string, number>> | undefined,
  ): Sample[] {
    const [label = ''] = INSTRUMENTS[key].labels
    return Object.entries(counts ?? {}).map(([name, last]) => {
      const id = `${key} ${name}`
      const known = this.#grown.get(id) ?? { last: 0, before: 0 }
      const before = last < known.last ? known.before + known.last : known.before
      this.#grown.set(id, { last, before })
      return { labels: { [label]: name }, value: before + last }
    })
  }
}

const one = (value: number): Sample[] => [{ labels: {}, value }]

const states = (label: string, all: object, now: string | undefined): Sample[] =>
  Object.keys(all).map((name) => ({ labels: { [label]: name }, value: name === now ? 1 : 0 }))
