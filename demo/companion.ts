// A further process of the application as the demo's own one has it: begun, told what to do, heard, and ended.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Command, Order, Said, Tally } from './process-words.js'

/** Run as it is, or compiled. */
export const SCRIPT = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './process.ts' : './process.js', import.meta.url),
)

const START_MILLIS = 60_000

export class Companion {
  /** The demo's own is 0. */
  readonly process: number
  /** Resolves when it is connected and knows its phase. */
  readonly begun: Promise<void>
  /** What it has said of itself last. */
  tally: Tally | undefined
  readonly #child: ChildProcess
  readonly #hear: (said: Said, from: Companion) => void
  readonly #waiting = new Map<number, Waiting>()
  readonly #ended: Promise<unknown>
  #asked = 0
  #serves = false
  #leaving = false

  constructor(script: string, order: Order, hear: (said: Said, from: Companion) => void) {
    this.process = order.part.process
    this.#hear = hear
    this.#child = fork(script, [JSON.stringify(order)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.#child.on('message', (said) => this.#said(said as Said))
    this.begun = this.#begin()
    // Whoever waits is told; nobody may wait yet.
    this.begun.catch(() => undefined)
    this.#ended = once(this.#child, 'exit').then(([code, signal]) => this.#gone(String(signal ?? code)))
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Resolves when it is done and everything that it was told until then is in the ledger. */
  do(what: Command['do']): Promise<void> {
    const nr = ++this.#asked
    const answered = this.#answer(nr)
    this.#child.send({ do: what, nr } satisfies Command, (error) => {
      if (error) this.#waiting.get(nr)?.reject(error)
    })
    return answered
  }

  /** May be called at any moment. */
  async end(): Promise<void> {
    if (this.#leaving) return
    this.#leaving = true
    if (this.#serves && this.#child.connected) await this.do('end').catch(() => undefined)
    if (this.#child.connected) this.#child.disconnect()
    // One that has not begun may not hear of it.
    if (!this.#serves) this.#child.kill('SIGKILL')
    await this.#ended
  }

  async #begin(): Promise<void> {
    const late = setTimeout(() => this.#child.kill('SIGKILL'), START_MILLIS)
    try {
      await this.#answer(0)
      this.#serves = true
    } finally {
      clearTimeout(late)
    }
  }

  #answer(nr: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(nr, { resolve, reject })
    })
  }

  #gone(how: string): void {
    const error = new Error(`process ${this.process} of the application has ended with ${how}`)
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
    if (this.#leaving) return
    const failures = [{ what: 'the application itself', at: performance.now(), error: error.message }]
    this.#hear({ e: 'page', page: { entries: [], reads: [], failures, stale: 0 } }, this)
  }

  #said(said: Said): void {
    if (said.e === 'tally') this.tally = said.tally
    if (said.e !== 'done') return this.#hear(said, this)
    this.#waiting.get(said.nr)?.resolve()
    this.#waiting.delete(said.nr)
  }
}

interface Waiting {
  resolve(): void
  reject(error: Error): void
}
