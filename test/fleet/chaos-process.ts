// A process of the bank as its parent has it: what it was told, what it said, and the ways by which it reaches the databases.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { compiled } from '../support/compiled.js'
import { startProxy } from '../support/proxy.js'
import type { Proxy } from '../support/proxy.js'
import type { Side } from '../../src/phase/phases.js'
import type { MoveOrder } from './bank-coordinator.js'
import type { BankOrder, Command, Said } from './bank-words.js'

export const SIDES = ['old', 'new'] as const satisfies readonly Side[]

/** Those of one process: for its pools and for what it controls the move by. */
export interface Ways {
  readonly pools: Readonly<Record<Side, Proxy>>
  readonly control: Readonly<Record<Side, Proxy>>
}

export async function openWays(ports: Readonly<Record<Side, number>>): Promise<Ways> {
  const both = async () => ({ old: await startProxy(ports.old), new: await startProxy(ports.new) })
  return { pools: await both(), control: await both() }
}

export const closeWays = async (ways: Ways): Promise<void> => {
  await Promise.all(SIDES.flatMap((side) => [ways.pools[side].close(), ways.control[side].close()]))
}

interface Awaited {
  readonly fits: (said: Said) => boolean
  readonly resolve: (said: Said | undefined) => void
}
export type Heard<E extends Said['e']> = Extract<Said, { e: E }>

export class BankProcess {
  readonly ways: Ways
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  readonly #hear: (said: Said) => void
  #over = false
  readonly #awaited = new Set<Awaited>()

  constructor(
    file: 'bank-member.ts' | 'bank-coordinator.ts',
    order: BankOrder | MoveOrder,
    ways: Ways,
    hear: (said: Said) => void,
  ) {
    this.ways = ways
    this.#hear = hear
    const script = compiled(fileURLToPath(new URL(file, import.meta.url)))
    this.#child = spawn(process.execPath, [script, JSON.stringify(order)], {
      stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
    })
    // A process that was killed reads nothing any more.
    for (const pipe of [this.#child.stdin, this.#child.stdio[3]]) pipe?.on('error', () => {})
    if (this.#child.stdout)
      createInterface({ input: this.#child.stdout }).on('line', (line) => this.#said(line))
    this.#ended = this.#end()
  }

  get alive(): boolean {
    return !this.#over
  }

  tell(command: Command): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`)
  }

  /** How to go on from a step at which it stands still. */
  goOn(order: string): void {
    ;(this.#child.stdio[3] as Writable | null)?.write(order)
  }

  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(name)
  }

  /** The next word of a kind; undefined where the process has ended before it, or the time is over. */
  next<E extends Said['e']>(
    e: E,
    millis: number,
    fits: (said: Heard<E>) => boolean = () => true,
  ): Promise<Heard<E> | undefined> {
    if (this.#over) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const one: Awaited = {
        fits: (said) => said.e === e && fits(said as Heard<E>),
        resolve: (said) => {
          clearTimeout(late)
          this.#awaited.delete(one)
          resolve(said as Heard<E> | undefined)
        },
      }
      const late = setTimeout(() => one.resolve(undefined), millis)
      this.#awaited.add(one)
    })
  }

  /** Resolves when it is gone. */
  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.#ended
  }

  async end(millis: number): Promise<boolean> {
    this.tell({ do: 'end' })
    const impatience = setTimeout(() => this.signal('SIGKILL'), millis)
    await this.#ended
    clearTimeout(impatience)
    return this.#child.exitCode === 0
  }

  async #end(): Promise<void> {
    await once(this.#child, 'close')
    this.#over = true
    for (const one of this.#awaited) one.resolve(undefined)
  }

  #said(line: string): void {
    const said = JSON.parse(line) as Said
    this.#hear(said)
    for (const one of this.#awaited) if (one.fits(said)) one.resolve(said)
  }
}
