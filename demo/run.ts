// Everything one run of the demo holds and finds out, from the seeded databases to the audit.
import { Client } from 'pg'
import type { Cutover, CutoverEvent, EventMap, Phase, StepEvent } from '../src/index.js'
import type { Audit, Comparison } from './audit.js'
import { Ledger } from './ledger.js'
import type { Side } from './ledger.js'
import { MirrorWatch } from './mirror-watch.js'
import type { MirrorName } from './mirrors.js'
import type { Mover, MoverName } from './movers.js'
import { pauseOf } from './pause.js'
import type { Pause } from './pause.js'
import { seedFor } from './schema.js'
import type { Seed } from './schema.js'
import { withSlowTransactions } from './slow-transaction.js'
import type { Load, Workload } from './workload.js'

export interface Settings extends Load {
  readonly rows: number
  /** Of traffic at rest, shared out between the moves. */
  readonly seconds: number
  readonly source: MoverName
  readonly mirror: MirrorName
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
  /** From the request to the `phase` event: with all that is prepared before a pause and done after it. */
  readonly millis: number
  /** Where the writer changed. */
  readonly event: CutoverEvent | undefined
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
  readonly pause: Pause
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
  readonly ledger = new Ledger()
  readonly spans: Span[] = []
  readonly phases: { readonly phase: string; readonly at: number }[] = []
  readonly moves: Move[] = []
  readonly reached: Reached[] = []
  readonly warnings: string[] = []
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
  #ended: Promise<void> | undefined

  constructor(settings: Settings, urls: Sides<string>) {
    this.settings = settings
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

  /** Asks for a phase, and resolves when everything about the move is done. */
  async reach(phase: Phase): Promise<Reached> {
    const { mover, moving } = this
    if (!mover) throw new Error('there is nothing to move it by')
    const request = mover.request(moving.phase, phase)
    let at: number | undefined
    const onPhase = ({ to }: EventMap['phase'][0]): void => {
      if (to === phase) at ??= performance.now()
    }
    moving.on('phase', onPhase)
    const asked = performance.now()
    try {
      const event = await mover.move(moving, phase)
      if (at === undefined) throw new Error(`${request} ended without the phase ${phase}`)
      const reached = { request, phase, millis: at - asked, event }
      this.reached.push(reached)
      return reached
    } finally {
      moving.off('phase', onPhase)
    }
  }

  /** One change of writer under traffic, measured. Resolves when the side that was opened has acknowledged a write. */
  async move(label: string, phase: Phase, say: Say): Promise<Move> {
    const steps: StepSpan[] = []
    // Printed beside the pause and not in it: what the terminal takes would be held against the cutover.
    const unprinted: string[] = []
    const onStep = ({ step, epoch, state, millis = 0, detail }: StepEvent): void => {
      const now = performance.now()
      if (state === 'started') return
      steps.push({ step, epoch, from: now - millis, to: now })
      unprinted.push(stepLine(step, millis) + (state === 'failed' ? `: failed, ${detail ?? ''}` : ''))
    }
    const onCutover = ({ outcome, reason }: CutoverEvent): void => {
      if (outcome !== 'done') unprinted.push(`attempt ${outcome}: ${reason ?? ''}`)
    }
    const print = (): void => {
      for (const line of unprinted.splice(0)) say.line(line)
    }
    this.moving.on('step', onStep)
    this.moving.on('cutover', onCutover)
    const printer = setInterval(print, 50)
    const from = performance.now()
    try {
      return await this.spend('cutover', label, async () => {
        const { slowTransactionMillis: slow } = this.settings
        const reach = (): Promise<Reached> => this.reach(phase)
        const reached = await (slow === undefined ? reach() : withSlowTransactions(this, slow, reach))
        const { event } = reached
        if (!event) throw new Error('no change of writer took place')
        const opened: Side = event.direction === 'old→new' ? 'new' : 'old'
        const pause = await this.#seen(opened, from)
        const to = performance.now()
        const own = steps.filter(({ epoch }) => epoch === event.epoch)
        const move = { direction: event.direction, opened, from, to, steps: own, reached, event, pause }
        this.moves.push(move)
        return move
      })
    } finally {
      clearInterval(printer)
      this.moving.off('step', onStep)
      this.moving.off('cutover', onCutover)
      print()
    }
  }

  async #seen(opened: Side, from: number): Promise<Pause> {
    const deadline = performance.now() + 10_000
    for (;;) {
      const pause = pauseOf(this.ledger, opened, from, performance.now())
      if (pause) return pause
      if (performance.now() > deadline) throw new Error(`no write reached the ${opened} side after the move`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** May be called at any moment, also twice. */
  end(): Promise<void> {
    return (this.#ended ??= this.#end())
  }

  async #end(): Promise<void> {
    const results = await Promise.allSettled([
      this.workload?.stop(),
      this.watch.stop(),
      this.#endMoving(),
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

export const STEPS: Readonly<Record<string, string>> = {
  prepare: 'checks, fence made, sequences set, connections warm; nobody waits',
  hold: 'new writes wait',
  drain: 'what had begun is let finish',
  fence: 'the side being left refuses writes by itself',
  'catch-up': 'proof that the other side has every row',
  'stop-reads': 'reads wait as well',
  decide: 'the point of no return',
  open: 'the other side accepts writes; traffic goes on',
  reverse: 'the mirror is turned round: the way back',
}

function stepLine(step: string, millis: number): string {
  return `${step.padEnd(10)} ${millis.toFixed(1).padStart(8)} ms   ${STEPS[step] ?? ''}`.trimEnd()
}
