// The processes of a run by dual-write, and what is done to them: killed, stopped, cut off, and begun again.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { RELAY_APPLICATION, recordTable } from '../../src/control/names.js'
import type { Side } from '../../src/phase/phases.js'
import { compiled } from '../support/compiled.js'
import type { Proxy } from '../support/proxy.js'
import type { Auditor } from './dual-write-audit.js'
import type { RelayOrder } from './dual-write-relay.js'
import type { WriterOrder } from './dual-write-writer.js'

type Part =
  | { readonly kind: 'relay'; readonly order: RelayOrder }
  | { readonly kind: 'writer'; readonly order: WriterOrder }

const FILES = { relay: 'dual-write-relay.ts', writer: 'dual-write-writer.ts' } as const

export class Fleet {
  /** What was said and done, and how often. */
  readonly counts = new Map<string, number>()
  /** Transactions that were acknowledged, by the row in which they are counted. */
  readonly acknowledged = new Map<number, number>()
  readonly #running = new Map<Part, ChildProcess>()
  readonly #name: string
  readonly #hands: Auditor
  readonly #random: () => number
  #ending = false
  #taking: Promise<void> | undefined

  constructor(name: string, hands: Auditor, random: () => number) {
    this.#name = name
    this.#hands = hands
    this.#random = random
  }

  count(what: string, more = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + more)
  }

  /** Runs until the fleet ends: whoever dies is followed by another one, which chooses otherwise. */
  start(part: Part): void {
    const file = compiled(fileURLToPath(new URL(FILES[part.kind], import.meta.url)))
    const order = {
      ...part.order,
      seed: part.order.seed + (this.counts.get(`${part.kind} begun`) ?? 0) * 1_009,
    }
    this.count(`${part.kind} begun`)
    const child = spawn(process.execPath, [file, JSON.stringify(order)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#running.set(part, child)
    createInterface({ input: child.stdout }).on('line', (line) => this.#hear(line))
    void this.#follow(part, child)
  }

  async #follow(part: Part, child: ChildProcess): Promise<void> {
    await once(child, 'exit')
    this.#running.delete(part)
    if (this.#ending) return
    this.count(`${part.kind} died`)
    this.start(part)
  }

  #hear(line: string): void {
    const [, writer] = /^a (\d+)$/.exec(line) ?? []
    if (writer !== undefined) {
      this.acknowledged.set(Number(writer), (this.acknowledged.get(Number(writer)) ?? 0) + 1)
      this.count('transactions')
    } else this.count(line === 't' ? 'transactions' : line)
    // It stands between reading and writing: the next leader is to come before it goes on.
    if (line === 'stalled' && this.#random() < 0.7) void this.takeLead()
  }

  /** Ends the session of whoever leads, so that another member follows at once. */
  takeLead(): Promise<void> {
    this.#taking ??= this.#takeLead().finally(() => (this.#taking = undefined))
    return this.#taking
  }

  async #takeLead(): Promise<void> {
    for (const side of ['old', 'new'] as const)
      await this.#hands
        .query(
          side,
          `select pg_terminate_backend(l.pid) from pg_locks l join pg_stat_activity a on a.pid = l.pid
            where l.locktype = 'advisory' and l.granted and a.application_name = $1 and a.datname = current_database()`,
          [RELAY_APPLICATION],
        )
        .catch(() => [])
  }

  async disturb(proxies: Readonly<Record<Side, Proxy>>): Promise<void> {
    const random = this.#random
    const side: Side = random() < 0.5 ? 'old' : 'new'
    const parts = [...this.#running]
    const [, child] = parts[Math.floor(random() * parts.length)] ?? []
    const chance = random()
    if (chance < 0.2) {
      this.count('killed')
      child?.kill('SIGKILL')
    } else if (chance < 0.5) {
      this.count('stopped')
      child?.kill('SIGSTOP')
      if (random() < 0.6) await this.takeLead()
      await delay(random() ** 2 * 800)
      child?.kill('SIGCONT')
    } else if (chance < 0.75) {
      this.count('backends terminated')
      await this.#hands
        .query(
          side,
          `select pg_terminate_backend(pid) from (select pid from pg_stat_activity
            where datname = current_database() and backend_type = 'client backend' and application_name <> 'auditor'
            order by random() limit 2) x`,
        )
        .catch(() => [])
    } else if (chance < 0.82) {
      this.count('vacuums')
      // Places of the record are used again, while somebody may be about to forget what was there.
      await this.#hands.query(side, `vacuum cutover.${recordTable(this.#name)}`).catch(() => [])
    } else if (chance < 0.92) {
      this.count('connections cut')
      proxies[side].cut()
    } else {
      this.count('connections stalled')
      proxies[side].stall()
      await delay(random() * 300)
      await proxies[side].resume()
    }
  }

  /** Those of a kind end by themselves; what they have begun is done. */
  async end(kind: Part['kind']): Promise<void> {
    this.#ending = true
    await Promise.all(
      [...this.#running].map(async ([part, child]) => {
        if (part.kind !== kind) return
        const ended = once(child, 'exit')
        child.kill('SIGCONT')
        child.kill('SIGTERM')
        const impatience = setTimeout(() => {
          this.count(`unexpected: a ${kind} did not end`)
          child.kill('SIGKILL')
        }, 20_000)
        await ended
        clearTimeout(impatience)
      }),
    )
  }
}
