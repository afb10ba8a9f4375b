// The whole bank: two servers, its processes with a network of their own each, and a prober; begun, mended, asked and ended.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { memberGrants } from '../../src/control/grants.js'
import type { Migration } from '../../src/control/migration.js'
import { readSide, setPhase } from '../../src/control/side-row.js'
import type { SideRow } from '../../src/control/side-row.js'
import { beginMirror } from '../../src/coordinator/begin-mirror.js'
import type { Phase, Side } from '../../src/phase/phases.js'
import { migrationOver } from '../postgres/protocol/fixture.js'
import { startProxy } from '../support/proxy.js'
import type { Proxy } from '../support/proxy.js'
import { startPair } from '../support/servers.js'
import type { Pair } from '../support/servers.js'
import { Board } from './bank-board.js'
import { AUDIT, GENERATION, schemaOf, TABLES } from './bank-schema.js'
import type { BankOrder, Said } from './bank-words.js'
import { Judge, using } from './chaos-judge.js'
import { BankProcess, closeWays, openWays, SIDES } from './chaos-process.js'
import type { Heard, Ways } from './chaos-process.js'
import { Prober } from './chaos-prober.js'

const TELLERS = 2
const NAME = 'bank'

export interface FleetOptions {
  readonly members: number
  readonly seed: number
  /** Where servers of the same run find what initdb has made. */
  readonly seeds: string
  /** About, between two calls of a teller, and between two tries of the prober. */
  readonly pauseMillis: number
  readonly probeMillis: number
  /** Between two reads of a process that are for nothing else but what others have written; 0 for none. */
  readonly readMillis: number
  readonly timings: Readonly<Record<string, number>>
  /** Whether a read has to see what any other process was acknowledged before it. */
  readonly fresh: boolean
}

interface Place {
  readonly index: number
  readonly ways: Ways
  process: BankProcess
  generation: number
}

interface Parts {
  readonly pair: Pair
  readonly folder: string
  readonly mirror: Readonly<Record<Side, Proxy>>
  /** Those of a coordinator that is no member. */
  readonly apart: Ways
}

export async function startFleet(options: FleetOptions): Promise<ChaosFleet> {
  const pair = await startPair({
    seeds: options.seeds,
    // Servers are killed here, but not the machine: what they have written is there when they are back.
    settings: {
      fsync: 'off',
      max_connections: String(60 + options.members * 14),
      log_min_error_statement: 'panic',
    },
  })
  const ports = { old: pair.old.port, new: pair.new.port }
  const fleet = new ChaosFleet(options, {
    pair,
    folder: mkdtempSync(join(tmpdir(), 'pg-cutover-bank-')),
    mirror: { old: await startProxy(ports.old), new: await startProxy(ports.new) },
    apart: await openWays(ports),
  })
  try {
    await fleet.begin()
    return fleet
  } catch (error) {
    await fleet.destroy()
    throw error
  }
}

export class ChaosFleet {
  /** What must never be. */
  readonly violations: string[] = []
  /** Errors that met callers and may be tried again, and how often. */
  readonly errors = new Map<string, number>()
  /** Since it was last set to 0. */
  longestHoldMillis = 0
  readonly m: Migration
  readonly judge: Judge
  readonly pair: Pair
  readonly mirror: Readonly<Record<Side, Proxy>>
  readonly urls: Readonly<Record<Side, string>>
  readonly owner: Readonly<Record<Side, string>>
  readonly places: Place[] = []
  readonly options: FleetOptions
  readonly #folder: string
  readonly #apart: Ways
  #prober: Prober | undefined
  #asked = 0

  constructor(options: FleetOptions, { pair, folder, mirror, apart }: Parts) {
    this.options = options
    this.pair = pair
    this.mirror = mirror
    this.#folder = folder
    this.#apart = apart
    this.owner = { old: pair.old.url(), new: pair.new.url() }
    this.urls = { old: asTeller(this.owner.old), new: asTeller(this.owner.new) }
    this.m = {
      ...migrationOver(NAME, this.owner, { mirror: 'replication', tables: TABLES, timings: options.timings }),
      reachedBy: { old: mirror.old.url(this.owner.old), new: mirror.new.url(this.owner.new) },
    }
    writeFileSync(this.#log, '')
    Board.make(this.#board)
    this.judge = new Judge(this.owner, this.#log)
  }

  async begin(): Promise<void> {
    for (const side of SIDES) await using(this.owner[side], (query) => query(schemaOf(side)))
    await beginMirror(this.m, 'old', 'old')
    for (const side of SIDES)
      await using(this.owner[side], (query) => query([AUDIT, ...memberGrants('teller')].join(';')))
    const row = await readSide(this.m.control.old, NAME)
    if (!row || !(await setPhase(this.m.control.old, NAME, row, 'shadow')))
      throw new Error('no row to begin with')
    this.#prober = new Prober(this.urls, this.options.probeMillis)
    const ports = { old: this.pair.old.port, new: this.pair.new.port }
    for (let index = 0; index < this.options.members; index++) {
      const ways = await openWays(ports)
      const process = this.#member(index, ways, 0)
      this.places.push({ index, ways, generation: 0, process })
      // All at once they would keep each other from being in time.
      if (index % 2 === 1) await process.next('ready', 10_000)
    }
    const open = await this.agreed('old', 'shadow', 20_000)
    if (open.length > 0) throw new Error(`the bank did not begin: ${open.join('; ')}`)
  }

  /** A coordinator of its own; it begins at once. */
  coordinator(to: Phase, pauseAt: string): BankProcess {
    const order = { ...this.#order(this.#apart), to, pauseAt }
    return new BankProcess('bank-coordinator.ts', order, this.#apart, (said) =>
      this.#hear('coordinator', said),
    )
  }

  /** Whoever has died is followed by another one. */
  revive(): void {
    for (const place of this.places)
      if (!place.process.alive) place.process = this.#member(place.index, place.ways, ++place.generation)
  }

  async writer(): Promise<SideRow> {
    const rows = await Promise.all(SIDES.map((side) => readSide(this.m.control[side], NAME)))
    const writer = rows.find((row) => row?.status === 'writer')
    if (!writer)
      throw new Error(`nobody writes: ${rows.map((row) => `${row?.side} is ${row?.status}`).join(', ')}`)
    return writer
  }

  /** Resolves when every process serves by this and has written there since; gives those that do not in time. */
  async agreed(side: Side, phase: Phase, millis: number): Promise<string[]> {
    const deadline = performance.now() + millis
    const written = new Map<number, number>()
    let open = [...this.places]
    let last: string[] = []
    for (;;) {
      const answers = await Promise.all(
        open.map(async (place) => ({ place, said: await this.#where(place.process) })),
      )
      last = []
      open = answers.flatMap(({ place, said }) => {
        const there = said?.side === side && said.phase === phase && said.route === 'direct'
        // The first answer of its being there is where the counting begins.
        if (there && !written.has(place.index)) written.set(place.index, said.writes)
        if (there && said.writes > (written.get(place.index) ?? Infinity)) return []
        if (!there) written.delete(place.index)
        last.push(
          said
            ? `process ${place.index}: phase ${said.phase}, ${said.route} on ${said.side}${said.heldMillis > 0 ? ` for ${said.heldMillis} ms` : ''}, ${there ? 'no write yet' : 'not there'}`
            : `process ${place.index} does not answer`,
        )
        return [place]
      })
      if (open.length === 0 || performance.now() > deadline) return last
      await delay(60)
    }
  }

  judgeNow(writer: Side, whole: boolean): Promise<string[]> {
    if (!this.#prober) throw new Error('not begun')
    return this.judge.judge(writer, this.#prober, whole)
  }

  /** Whether both sides hold the same, once the mirror has brought everything. Only after `rest`. */
  async equalAtLast(writer: Side): Promise<string[]> {
    const deadline = performance.now() + 15_000
    for (;;) {
      const wrong = await this.judge.equal()
      if (wrong.length === 0 || performance.now() > deadline)
        return wrong.map((what) => `${what}; ${writer} writes`)
      await delay(50)
    }
  }

  /** Ends all that writes. */
  async rest(): Promise<void> {
    await this.#prober?.end()
    const ended = await Promise.all(this.places.map(({ process }) => process.end(15_000)))
    ended.forEach((well, index) => {
      if (!well) this.violations.push(`process ${index} did not end by itself`)
    })
  }

  async destroy(): Promise<void> {
    await this.#prober?.end()
    for (const { process, ways } of this.places) {
      await process.kill()
      await closeWays(ways)
    }
    await closeWays(this.#apart)
    for (const side of SIDES) await this.m.control[side].close()
    await this.pair.destroy()
    for (const side of SIDES) await this.mirror[side].close()
    rmSync(this.#folder, { recursive: true })
  }

  async #where(process: BankProcess): Promise<Heard<'where'> | undefined> {
    const id = ++this.#asked
    const answer = process.next('where', 3_000, (said) => said.id === id)
    process.tell({ do: 'where', id })
    return answer
  }

  #member(index: number, ways: Ways, generation: number): BankProcess {
    const writers = Array.from({ length: TELLERS }, (_, teller) => index * TELLERS + teller)
    const order: BankOrder = {
      ...this.#order(ways),
      writers,
      from: generation * GENERATION,
      seed: this.options.seed + generation,
    }
    return new BankProcess('bank-member.ts', order, ways, (said) => this.#hear(`process ${index}`, said))
  }

  #order(ways: Ways): BankOrder {
    const through = (urls: Readonly<Record<Side, string>>, proxies: Readonly<Record<Side, Proxy>>) => ({
      old: proxies.old.url(urls.old),
      new: proxies.new.url(urls.new),
    })
    return {
      name: NAME,
      pools: through(this.urls, ways.pools),
      control: through(this.owner, ways.control),
      reachedBy: this.m.reachedBy,
      board: this.#board,
      log: this.#log,
      seed: this.options.seed,
      writers: [],
      from: 0,
      others: Array.from({ length: this.options.members * TELLERS }, (_, writer) => writer),
      pauseMillis: this.options.pauseMillis,
      readMillis: this.options.readMillis,
      timings: this.options.timings,
      fresh: this.options.fresh,
    }
  }

  #hear(who: string, said: Said): void {
    if (said.e === 'violation') this.violations.push(`${who}: ${said.what}`)
    if (said.e === 'hold') this.longestHoldMillis = Math.max(this.longestHoldMillis, said.millis)
    if (said.e === 'error') this.errors.set(said.code, (this.errors.get(said.code) ?? 0) + 1)
  }

  get #board(): string {
    return join(this.#folder, 'board')
  }

  get #log(): string {
    return join(this.#folder, 'log')
  }
}

function asTeller(owner: string): string {
  const url = new URL(owner)
  url.username = 'teller'
  url.password = 'teller'
  return url.href
}
