// The demo's application: paced writers and readers on one pool, who write down in the ledger what they are told.
import type { Pool } from 'pg'
import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Entry, Ledger, Side } from './ledger.js'
import { READS, REPORT, anyRead, lookUp, report } from './reads.js'
import type { Seed } from './schema.js'
import { WRITES, anyWrite, below, changeOfMind } from './writes.js'
import type { Known, Told } from './writes.js'

export interface Load {
  readonly writers: number
  readonly readers: number
  /** Of all writers together, a second; readers go at half of it. */
  readonly rate: number
}

/** Which part of the whole load a process carries. */
export interface Part {
  /** The demo's own is 0. */
  readonly process: number
  /** The numbers of its first writer and its first reader among all. */
  readonly firstWriter: number
  readonly firstReader: number
}

const ALL: Part = { process: 0, firstWriter: 0, firstReader: 0 }

export interface Workload {
  /** Resolves when every call under way has its answer. May be called again. */
  stop(): Promise<void>
  /** Lets all of them go on after a stop. */
  go(): void
}

/** One order in so many is given up just before its commit. */
const MINDS_CHANGED = 1 / 40

export async function startWorkload(
  pool: Pool,
  ledger: Ledger,
  { seed, load, sideOf, part = ALL }: { seed: Seed; load: Load; sideOf: (port: number) => Side; part?: Part },
): Promise<Workload> {
  const { rows } = await pool.query<{ id: string }>('select id from shop.customers order by id limit 5000')
  const customers = rows.map(({ id }) => id)
  const people: Known[] = Array.from({ length: load.writers + load.readers }, () => ({
    customers,
    products: seed.products,
    accounts: seed.accounts,
    reservations: [],
    events: [],
  }))
  // One reader makes them all: while it waits for a client the others read on. A single one makes both.
  const isReporter = (reader: number): boolean =>
    reader === 0 && part.process === 0 && (load.readers > 1 || below(10) === 0)
  const turns = people.map((known, index) => {
    const writing = index < load.writers
    const step = writing
      ? () => write(pool, ledger, { ...part, writer: part.firstWriter + index }, known, sideOf)
      : () => {
          const reader = index - load.writers
          return read(pool, ledger, part.firstReader + reader, known, sideOf, isReporter(reader))
        }
    return {
      step,
      meanMillis: writing ? (1000 * load.writers) / load.rate : (2000 * load.readers) / load.rate,
    }
  })
  let going: AbortController | undefined
  let running: Promise<unknown> = Promise.resolve()
  return {
    go() {
      if (going) return
      going = new AbortController()
      const { signal } = going
      setMaxListeners(0, signal)
      running = Promise.all(turns.map(({ step, meanMillis }) => keepAt(step, meanMillis, signal)))
    },
    async stop() {
      going?.abort()
      going = undefined
      await running
    },
  }
}

/** Again and again, at a steady mean pace with some jitter; what a slow answer costs is not made up for. */
async function keepAt(step: () => Promise<void>, meanMillis: number, signal: AbortSignal): Promise<void> {
  let due = performance.now() + meanMillis * Math.random()
  while (!signal.aborted) {
    await step()
    due = Math.max(due + meanMillis * (0.5 + Math.random()), performance.now())
    await delay(due - performance.now(), undefined, { signal }).catch(() => undefined)
  }
}

async function write(
  pool: Pool,
  ledger: Ledger,
  { process, writer }: Pick<Entry, 'process' | 'writer'>,
  known: Known,
  sideOf: (port: number) => Side,
): Promise<void> {
  const number = ledger.issue()
  const kind = Math.random() < MINDS_CHANGED ? undefined : anyWrite(known)
  const sent = performance.now()
  try {
    if (!kind) return await changeOfMind(pool, number, known)
    const { port, effects = [], place }: Told = await WRITES[kind].run(pool, number, known)
    const acked = performance.now()
    ledger.acknowledge({ number, kind, process, writer, side: sideOf(port), sent, acked, effects, place })
  } catch (error) {
    ledger.failed(kind ?? 'change of mind', error)
  }
}

async function read(
  pool: Pool,
  ledger: Ledger,
  reader: number,
  known: Known,
  sideOf: (port: number) => Side,
  reports: boolean,
): Promise<void> {
  const kind = reports ? REPORT : anyRead(below(100))
  const latest = ledger.entries.at(-1)
  if (!kind && !latest?.place) return
  const sent = performance.now()
  try {
    let port: number | undefined
    if (kind === REPORT) port = await report(pool)
    else if (kind) port = await READS[kind].run(pool, known)
    else if (latest?.place) {
      const answer = await lookUp(pool, latest, latest.place)
      if (!answer.seen) ledger.missed(`reading back "${latest.kind}" number ${latest.number}`)
      port = answer.port
    } else return
    ledger.answered({
      kind: kind ?? 'its own write',
      reader,
      side: port === undefined ? undefined : sideOf(port),
      sent,
      acked: performance.now(),
    })
  } catch (error) {
    ledger.failed(kind ?? 'its own write', error)
  }
}
