// A process of an application: a few clients that write at random, by plain pg or through the facade, wherever they may.
import { writeSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { createCutover, isCutoverError, memorySource } from '../../src/index.js'
import type { Side } from '../../src/phase/phases.js'
import { MAPPED, SEARCH_PATH, TABLES } from './dual-write-tables.js'
import { choiceOfWork, transact } from './dual-write-work.js'
import { seededRandom } from '../support/seeded-random.js'
import { endWithParent } from './end-with-parent.js'

export interface WriterOrder {
  readonly name: string
  readonly urls: Readonly<Record<Side, string>>
  readonly seed: number
  /** One for each client: a row of the table `acknowledged`. */
  readonly writers: readonly number[]
  readonly facade: boolean
  /** At most, between two transactions of a client: the relay has to keep up, or nothing is ever equal. */
  readonly pauseMillis: number
}

// Refused by the fence, met others, was ended: what an application lives with.
const USUAL = /^(25006|40001|40P01|23505|23503|55P03|57P0[123]|08...|ECONN.*|EPIPE)$/

endWithParent()
const order = JSON.parse(process.argv[2] ?? '{}') as WriterOrder
const choose = choiceOfWork(seededRandom(order.seed))
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())

const say = (line: string): void => void writeSync(1, `${line}\n`)

/** Gives a client for one transaction, and is told how that ended. */
interface Access {
  take(): Promise<pg.ClientBase>
  gone(client: pg.ClientBase, error: unknown): Promise<void>
  end(): Promise<void>
}

function plain(random: () => number): Access {
  let side: Side = random() < 0.5 ? 'old' : 'new'
  let client: pg.Client | undefined
  const drop = async (): Promise<void> => {
    const last = client
    client = undefined
    await last?.end().catch(() => {})
  }
  return {
    async take() {
      if (client) return client
      const fresh = new pg.Client({
        connectionString: order.urls[side],
        application_name: 'writer',
        options: SEARCH_PATH,
        connectionTimeoutMillis: 2_000,
      })
      fresh.on('error', () => {
        if (client === fresh) client = undefined
      })
      await fresh.connect()
      return (client = fresh)
    },
    async gone(was, error) {
      const code = codeOf(error)
      if (error === undefined) return
      try {
        if (!(error instanceof pg.DatabaseError)) throw error
        await was.query('rollback')
      } catch {
        await drop()
      }
      if (code !== '25006' && client) return
      await drop()
      side = side === 'old' ? 'new' : 'old'
      await delay(20)
    },
    end: drop,
  }
}

function throughFacade(): Access {
  const pool = (side: Side) => ({ connectionString: order.urls[side], options: SEARCH_PATH, max: 4 })
  const cutover = createCutover({
    name: order.name,
    old: pool('old'),
    new: pool('new'),
    source: memorySource('old'),
    control: true,
    mirror: 'dual-write',
    tables: TABLES.map(({ old }) => old),
    dualWrite: { mapped: MAPPED },
  })
  cutover.pool.on('error', () => {})
  return {
    async take() {
      await cutover.ready()
      return cutover.pool.connect()
    },
    async gone(client, error) {
      if (error !== undefined) await client.query('rollback').catch(() => {})
      ;(client as pg.PoolClient).release(error !== undefined && !(error instanceof pg.DatabaseError))
    },
    end: () => cutover.end(),
  }
}

function codeOf(error: unknown): string {
  if (isCutoverError(error)) return error.code
  if (error instanceof Error && 'code' in error) return String(error.code)
  return error instanceof Error && /terminated|timeout|closed|not queryable/i.test(error.message)
    ? 'ECONN'
    : String(error)
}

async function write(writer: number, access: Access): Promise<void> {
  const random = seededRandom(order.seed * 101 + writer)
  // The loss of its last commits by a crash of the server is its own wish.
  const careless = random() < 0.3
  while (!stop.signal.aborted) {
    let client: pg.ClientBase | undefined
    try {
      client = await access.take()
      if (careless) await client.query('set synchronous_commit = off')
      const work = Array.from({ length: 1 + Math.floor(random() ** 3 * 3.5) }, () => choose(random))
      const counted = await transact({ client, random }, work, writer)
      say(counted && !careless ? `a ${writer}` : 't')
      await access.gone(client, undefined)
    } catch (error) {
      const code = codeOf(error)
      if (!USUAL.test(code))
        say(
          code.startsWith('ERR_') ? `writer met ${code}` : `unexpected in a writer: ${code} ${String(error)}`,
        )
      if (client) await access.gone(client, error)
      await delay(5 + random() * 20)
    }
    await delay(random() * order.pauseMillis)
  }
}

const facade = order.facade ? throughFacade() : undefined
await Promise.all(
  order.writers.map(async (writer) => {
    const access = facade ?? plain(seededRandom(order.seed * 7 + writer))
    await write(writer, access)
    if (!facade) await access.end()
  }),
)
await facade?.end()
