// All processes of the demo's application: the demo's own is the first, which has the pool; the others are started beside it.
import { EventEmitter } from 'node:events'
import type { Cutover, CutoverEvent, EventMap, Phase, StepEvent } from '../src/index.js'
import { tallyOf } from './application.js'
import { Companion } from './companion.js'
import type { Ledger } from './ledger.js'
import type { Command, Order, Said, Tally } from './process-words.js'
import type { Load, Part, Workload } from './workload.js'

export interface CrewEvents {
  /** With the moment by this process's clock. */
  step: [StepEvent, at: number]
  cutover: [CutoverEvent, process: number]
}

export class Crew extends EventEmitter<CrewEvents> {
  /** Who has come to which phase, and when. */
  readonly reached: { readonly process: number; readonly phase: Phase; readonly at: number }[] = []
  readonly #ledger: Ledger
  readonly #warnings: string[]
  readonly #companions: Companion[] = []
  #cutover: Cutover | undefined

  constructor(ledger: Ledger, warnings: string[]) {
    super()
    this.#ledger = ledger
    this.#warnings = warnings
  }

  /** One a process, in their order. */
  get pids(): readonly (number | undefined)[] {
    return [process.pid, ...this.#companions.map(({ pid }) => pid)]
  }

  /** What each has said of itself last; undefined where nothing. */
  get tallies(): readonly (Tally | undefined)[] {
    return [this.#cutover && tallyOf(this.#cutover), ...this.#companions.map(({ tally }) => tally)]
  }

  /** The demo's own process. */
  join(cutover: Cutover): void {
    this.#cutover = cutover
    cutover.on('phase', ({ to }: EventMap['phase'][0]) =>
      this.reached.push({ process: 0, phase: to as Phase, at: performance.now() }),
    )
    cutover.on('step', (step) => this.emit('step', step, performance.now()))
    cutover.on('cutover', (event) => this.emit('cutover', event, 0))
  }

  /** Resolves when all of them are connected and know their phase. */
  async start(script: string, orders: readonly Order[]): Promise<void> {
    for (const order of orders)
      this.#companions.push(new Companion(script, order, (said, from) => this.#hear(said, from.process)))
    await Promise.all(this.#companions.map(({ begun }) => begun))
  }

  /** Has all others do it. */
  async do(what: Exclude<Command['do'], 'end'>): Promise<void> {
    await Promise.all(this.#companions.map((one) => one.do(what)))
  }

  /** Those of a list with one entry a process that have not come to a phase since then. */
  missing(phase: Phase, since: number): number[] {
    return this.pids.flatMap((_pid, index) =>
      this.reached.some((one) => one.process === index && one.phase === phase && one.at >= since)
        ? []
        : [index],
    )
  }

  async end(): Promise<void> {
    await Promise.all(this.#companions.map((one) => one.end()))
  }

  #hear(said: Said, from: number): void {
    if (said.e === 'page') this.#ledger.take(said.page)
    else if (said.e === 'phase') this.reached.push({ process: from, phase: said.phase, at: said.at })
    else if (said.e === 'step') this.emit('step', said.step, said.at)
    else if (said.e === 'cutover') this.emit('cutover', said.cutover, from)
    else if (said.e === 'warning') this.#warnings.push(said.message)
  }
}

/** The traffic of all of them together. */
export const together = (own: Workload, crew: Crew): Workload => ({
  go() {
    own.go()
    // One that is gone has been written down as a failure.
    crew.do('go').catch(() => undefined)
  },
  async stop() {
    await Promise.all([own.stop(), crew.do('stop').catch(() => undefined)])
  },
})

/** What each of so many processes carries: each has a writer at least, as long as there are enough. */
export function shareOut(load: Load, processes: number): { readonly load: Load; readonly part: Part }[] {
  const upTo = (all: number, process: number): number => Math.ceil((all * process) / processes)
  return Array.from({ length: processes }, (_, process) => {
    const firstWriter = upTo(load.writers, process)
    const firstReader = upTo(load.readers, process)
    const writers = upTo(load.writers, process + 1) - firstWriter
    return {
      load: {
        writers,
        readers: upTo(load.readers, process + 1) - firstReader,
        rate: (load.rate * writers) / load.writers,
      },
      part: { process, firstWriter, firstReader },
    }
  })
}
