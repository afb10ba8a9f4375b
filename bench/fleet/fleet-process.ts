// A process of a benchmarked fleet as the benchmark has it: started, asked, and ended.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { CutoverEvent, Phase } from '../../src/index.js'
import type { FleetOrder, Question, Told } from './words.js'

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

interface Reply {
  readonly nr: number
  readonly value?: unknown
  readonly error?: string
}

const SCRIPT = fileURLToPath(new URL('./process.js', import.meta.url))

export class FleetProcess {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  #asked = 0

  constructor(order: FleetOrder) {
    this.#child = fork(SCRIPT, [JSON.stringify(order)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.#child.on('message', (reply) => this.#hear(reply as Reply))
    this.#child.on('exit', (code) => {
      for (const waiting of this.#waiting.values())
        waiting.reject(new Error(`a process of the fleet has ended with ${code}`))
      this.#waiting.clear()
    })
  }

  /** Resolves when it serves. */
  async begun(): Promise<void> {
    await this.#answer(0)
  }

  async do(what: Exclude<Question['do'], 'tell' | 'advance'>): Promise<void> {
    await this.#ask({ do: what })
  }

  async tell(): Promise<Told> {
    return (await this.#ask({ do: 'tell' })) as Told
  }

  async advance(to: Phase): Promise<CutoverEvent | undefined> {
    return (await this.#ask({ do: 'advance', to })) as CutoverEvent | undefined
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return
    const ended = once(this.#child, 'exit')
    await this.do('end').catch(() => undefined)
    if (this.#child.connected) this.#child.disconnect()
    await ended
  }

  #ask(question: Question): Promise<unknown> {
    const nr = ++this.#asked
    const answered = this.#answer(nr)
    this.#child.send({ nr, question })
    return answered
  }

  #answer(nr: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(nr, { resolve, reject })
    })
  }

  #hear({ nr, value, error }: Reply): void {
    const waiting = this.#waiting.get(nr)
    this.#waiting.delete(nr)
    if (error === undefined) waiting?.resolve(value)
    else waiting?.reject(new Error(error))
  }
}

/** One after the other, since each start takes all of a core; those that have begun are closed where one does not. */
export async function startProcesses(orders: readonly FleetOrder[]): Promise<FleetProcess[]> {
  const processes: FleetProcess[] = []
  try {
    for (const order of orders) {
      const one = new FleetProcess(order)
      processes.push(one)
      await one.begun()
    }
    return processes
  } catch (error) {
    await Promise.all(processes.map((one) => one.close()))
    throw error
  }
}
