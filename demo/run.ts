// Everything one run of the demo holds and finds out, from the seeded databases to the audit.
import { Client } from 'pg'
import type { Cutover, CutoverEvent, Phase, StepEvent } from '../src/index.js'
import type { Member } from '../src/fleet/words.js'
import type { Audit, Comparison } from './audit.js'
import { SCRIPT } from './companion.js'
import { Crew } from './crew.js'
import { Ledger } from './ledger.js'
import type { Side } from './ledger.js'
import { MirrorWatch } from './mirror-watch.js'
import type { MirrorName } from './mirrors.js'
import type { Mover, MoverName } from './movers.js'
import { pauseOf } from './pause.js'
import type { Pause } from './pause.js'
import { seedFor } from './schema.js'
import type { Seed } from './schema.js'
import { stepLine } from './steps.js'
import { until } from './until.js'
import { withSlowTransactions } from './slow-transaction.js'
import type { Load, Workload } from './workload.js'

export interface Settings extends Load {
  readonly rows: number
  /** Of traffic at rest, shared out between the moves. */
  readonly seconds: number
  readonly source: MoverName
  readonly mirror: MirrorName
  /** Of the application, the demo's own among them. */
  readonly processes: number
  /** How long one writer's transaction is open when a hold begins; none is kept open without it. */
  readonly slowTransactionMillis?: number | undefined
}

/** A stretch of the run; `cutover` is one from its first step to its last. */
export interface Span {
  readonly what: 'before' | 'initial copy' | 'mirrored' | 'cutover' | 'audit' | 'after'
  readonly label: string
  readonly from: number
  readonly to: number
}

export interface StepSpan {
  readonly epoch: number
  readonly step: string
  readonly from: number
  readonly to: number
}

/** A phase that was asked for and reached. */
export interface Reached {
  /** What was done to get there, in a few words. */
  readonly request: string
  readonly phase: Phase
  /** From the request to the last process's `phase` event: with all that is prepared before a pause and done after it. */
  readonly millis: number
}

/** A change of writer as the demo saw it. */
export interface Move {
  readonly direction: CutoverEvent['direction']
  readonly opened: Side
  readonly from: number
  readonly to: number
  readonly steps: readonly StepSpan[]
  readonly reached: Reached
  readonly event: CutoverEvent
  /** The process that has made it. */
  readonly by: number
  /** From the last write on the side that was left, by any process, to the first on the other, by any. */
  readonly pause: Pause
  /** The same of each process alone. */
  readonly pauses: readonly Pause[]
}

/** Where a stage tells what it does. */
export interface Say {
  /** Stays to be read. */
  line(text: string): void
  /** Is soon replaced by the next one, and shown on a terminal only. */
  tick(text: string): void
}

export interface Sides<T> {
  readonly old: T
  readonly new: T
}

export class Run {
  readonly settings: Settings
  readonly seed: Seed
  readonly urls: Sides<string>
  readonly ledger: Ledger
  readonly spans: Span[] = []
  readonly phases: { readonly phase: string; readonly at: number }[] = []
  readonly moves: Move[] = []
  readonly reached: Reached[] = []
  readonly warnings: string[] = []
  readonly crew: Crew
  /** What is run for a further process. */
  readonly script: string
  readonly clients: Sides<Client>
  versions: Sides<string> = { old: '?', new: '?' }
  ports: Sides<number> = { old: 0, new: 0 }
  mover: Mover | undefined
  cutover: Cutover | undefined
  workload: Workload | undefined
  readonly watch: MirrorWatch
  /** Changes that the library has written to the other side, in both directions; with dual-write alone. */
  relayed: number | undefined
  /** Both databases, while they were still mirrored and nobody wrote. */
  checkpoint: { readonly old: Audit; readonly new: Audit; readonly comparison: Comparison } | undefined
  /** The new database, at the very end. */
  final: Audit | undefined
  /** What the old database answered to a write after the end. */
  refusal: string | undefined
  /** The fleet as the writer's database has it, some time on the way. */
  members: readonly Member[] = []
  #ended: Promise<void> | undefined

  constructor(settings: Settings, urls: Sides<string>, script = SCRIPT) {
    this.settings = settings
    this.script = script
    this.ledger = new Ledger(0, settings.processes)
    this.crew = new Crew(this.ledger, this.warnings)
    this.seed = seedFor(settings.rows)
    this.urls = urls
    const client = (connectionString: string): Client => {
      const made = new Client({ connectionString, application_name: 'pg-cutover demo audit' })
      // A server that goes away is told by the query that needs it.
      made.on('error', () => undefined)
      return made
    }
    this.clients = { old: client(urls.old), new: client(urls.new) }
    this.watch = new MirrorWatch(urls, this.ledger, settings.mirror)
  }

  get moving(): Cutover {
    if (!this.cutover) throw new Error('the cutover was not created')
    return this.cutover
  }

  get application(): Workload {
    if (!this.workload) throw new Error('the workload was not started')
    return this.workload
  }

  readonly sideOf = (port: number): Side => {
    if (port === this.ports.old) return 'old'
    if (port === this.ports.new) return 'new'
    throw new Error(`an answer from port ${port}, where neither side is`)
  }

  async spend<T>(what: Span['what'], label: string, work: () => Promise<T>): Promise<T> {
    const from = performance.now()
    try {
      return await work()
    } finally {
      this.spans.push({ what, label, from, to: performance.now() })
    }
  }

  /** Asks for a phase, and resolves when everything about the move is done and every process serves by it. */
  async reach(phase: Phase): Promise<Reached> {
    const { mover, moving } = this
    if (!mover) throw new Error('there is nothing to move it by')
    const request = mover.request(moving.phase, phase)
    const { crew } = this
    const asked = performance.now()
    await mover.move(moving, phase)
    await until(() => {
      const missing = crew.missing(phase, asked)
      return missing.length === 0
        ? undefined
        : `${request} ended without the phase ${phase} in process ${missing.join(', ')}`
    })
    const at = Math.max(...crew.reached.filter((one) => one.phase === phase).map((one) => one.at))
    const reached = { request, phase, millis: at - asked }
    this.reached.push(reached)
    return reached
  }

  /** One change of writer under traffic, measured. Resolves when the side that was opened has acknowledged a write. */
  async move(label: string, phase: Phase, say: Say): Promise<Move> {
    const steps: StepSpan[] = []
    // Printed beside the pause and not in it: what the terminal takes would be held against the cutover.
    const unprinted: string[] = []
    const onStep = ({ step, epoch, state, millis = 0, detail }: StepEvent, now: number): void => {
      if (state === 'started') return
      steps.push({ step, epoch, from: now - millis, to: now })
      unprinted.push(stepLine(step, millis) + (state === 'failed' ? `: failed, ${detail ?? ''}` : ''))
    }
    let done: { event: CutoverEvent; by: number } | undefined
    const onCutover = (event: CutoverEvent, by: number): void => {
      const { outcome, reason } = event
      if (outcome === 'done') done = { event, by }
      else unprinted.push(`attempt ${outcome}: ${reason ?? ''}`)
    }
    const print = (): void => {
      for (const line of unprinted.splice(0)) say.line(line)
    }
    this.crew.on('step', onStep)
    this.crew.on('cutover', onCutover)
    const printer = setInterval(print, 50)
    const from = performance.now()
    try {
      return await this.spend('cutover', label, async () => {
        const { slowTransactionMillis: slow } = this.settings
        const reach = (): Promise<Reached> => this.reach(phase)
        const reached = await (slow === undefined ? reach() : withSlowTransactions(this, slow, reach))
        // It may have been another process, whose word takes its time.
        await until(() => (done ? undefined : 'no change of writer took place'))
        if (!done) throw new Error('no change of writer took place')
        const { event, by } = done
        const opened: Side = event.direction === 'old→new' ? 'new' : 'old'
        const pauses = await this.#seen(opened, from)
        const to = performance.now()
        const own = steps.filter(({ epoch }) => epoch === event.epoch)
        const pause = pauseOf(this.ledger, opened, from, to)
        if (!pause) throw new Error(`no write reached the ${opened} side after the move`)
        const { direction } = event
        const move = { direction, opened, from, to, steps: own, reached, event, by, pause, pauses }
        this.moves.push(move)
        return move
      })
    } finally {
      clearInterval(printer)
      this.crew.off('step', onStep)
      this.crew.off('cutover', onCutover)
      print()
    }
  }

  /** Resolves when every process has written on the side that was opened, and all of it has arrived here. */
  async #seen(opened: Side, from: number): Promise<Pause[]> {
    let pauses: Pause[] = []
    const { pids } = this.crew
    await until(() => {
      const all = pids.map((_pid, process) => pauseOf(this.ledger, opened, from, performance.now(), process))
      pauses = all.filter((pause) => pause !== undefined)
      return pauses.length === pids.length
        ? undefined
        : `no write of process ${all.findIndex((pause) => pause === undefined)} reached the ${opened} side after the move`
    })
    return pauses
  }

  /** May be called at any moment, also twice. */
  end(): Promise<void> {
    return (this.#ended ??= this.#end())
  }

  async #end(): Promise<void> {
    const results = await Promise.allSettled([
      this.workload?.stop(),
      this.watch.stop(),
      this.crew.end().then(() => this.#endMoving()),
      this.clients.old.end(),
      this.clients.new.end(),
    ])
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  async #endMoving(): Promise<void> {
    try {
      await this.cutover?.end()
    } finally {
      await this.mover?.close()
    }
  }
}
