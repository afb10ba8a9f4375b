// A side is asked in bounded memory and time, and what is given up ends at the server too.
import type { Socket } from 'node:net'
import { Client, Pool, type ClientBase } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ask, type AskLimits } from '../../src/shadow/ask.js'
import { compareAnswers } from '../../src/shadow/compare.js'
import { freshDatabases, type FreshDatabases } from '../support/databases.js'
import { PINNED_OUTPUT } from '../support/pinned-output.js'

const MEGABYTE = 1024 * 1024
const LIMITS: AskLimits = { maxBytes: 8 * MEGABYTE, timeoutMillis: 10_000 }

let databases: FreshDatabases
let watcher: Client

beforeAll(async () => {
  databases = await freshDatabases()
  watcher = new Client({ connectionString: databases.new })
  await watcher.connect()
})

afterAll(async () => {
  await watcher.end()
  await databases.drop()
})

async function withPool<T>(
  work: (pool: Pool) => Promise<T>,
  config: ConstructorParameters<typeof Pool>[0] = {},
): Promise<T> {
  const pool = new Pool({ connectionString: databases.new, max: 1, ...config })
  const errors: unknown[] = []
  pool.on('error', (error) => errors.push(error))
  try {
    return await work(pool)
  } finally {
    await pool.end()
    expect(errors).toEqual([])
  }
}

interface How {
  readonly values?: unknown[]
  readonly config?: ConstructorParameters<typeof Pool>[0]
  readonly setup?: string
}

async function asking(
  text: string,
  limits: Partial<AskLimits> = {},
  { values = [], config = {}, setup = '' }: How = {},
) {
  return withPool(async (pool) => {
    const client = await pool.connect()
    await client.query(PINNED_OUTPUT)
    if (setup !== '') await client.query(setup)
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() pid')
    const asked = await ask(client, text, values, { ...LIMITS, ...limits })
    if (asked.reusable) expect((await client.query('select 1 one')).rows).toEqual([{ one: 1 }])
    client.release(!asked.reusable)
    const received = innerClient(client).stream.bytesRead
    return { asked, pid: rows[0]?.pid ?? 0, left: pool.totalCount, received }
  }, config)
}

const endAtServer = async (pid: number): Promise<void> => {
  const running = 'select 1 from pg_stat_activity where pid = $1'
  while ((await watcher.query(running, [pid])).rowCount !== 0);
}

it('takes values and gives rows as the server writes them', async () => {
  const values = [1, 'é', null, Buffer.from([0, 255]), new Date(0), [1, null], { a: 1 }]
  const text =
    'select $1::numeric(5,2), $2::text, $3::int, $4::bytea, $5::timestamptz, $6::int[], $7::jsonb j'
  const { asked } = await asking(text, {}, { values, setup: `set timezone = 'UTC'` })
  if (asked.kind !== 'answer') throw new Error(asked.kind)
  expect(asked.answer.rows).toEqual([
    ['1.00', 'é', null, '\\x00ff', '1970-01-01 00:00:00+00', '{1,NULL}', '{"a": 1}'],
  ])
  expect(asked.answer.fields.at(-1)).toEqual({ name: 'j', type: 3802 })
  expect(asked.answer).toMatchObject({ rowCount: 1, digests: undefined })
  expect(asked.answer.millis).toBeGreaterThan(0)
})

it('asks for text where the client is set to ask for binary results', async () => {
  const { asked } = await asking('select 1::int, true', {}, { config: { binary: true } as object })
  expect(asked).toMatchObject({ kind: 'answer', answer: { rows: [['1', 't']] } })
})

it.each([
  ['select 1/0', '22012'],
  ['select * from missing', '42P01'],
  ['select 1; select 2', '42601'],
  ['select $1::int', '08P01'],
])('says with which SQLSTATE %s was refused', async (text, code) => {
  const { asked } = await asking(text)
  expect(asked).toEqual({ kind: 'failed', code, reusable: !code.startsWith('08') })
})

it('says no value of a statement that fails', async () => {
  const { asked } = await asking('select $1::int', {}, { values: ['secret'] })
  expect(asked).toEqual({ kind: 'failed', code: '22P02', reusable: true })
})

it('keeps digests alone of a large answer, and little of it in memory', async () => {
  const text = `select g, repeat('x', 1000) from generate_series(1, 50000) g`
  const before = process.memoryUsage().heapUsed
  const { asked } = await asking(text, { maxBytes: 256 * MEGABYTE })
  const grown = process.memoryUsage().heapUsed - before
  if (asked.kind !== 'answer') throw new Error(asked.kind)
  expect(asked.answer).toMatchObject({ rowCount: 50_000, rows: undefined })
  expect(asked.answer.bytes).toBeGreaterThan(50_000_000)
  expect(grown).toBeLessThan(25 * MEGABYTE)
})

it('compares large answers by their digests', async () => {
  const kind = async (one: string, other: string, ordered: boolean): Promise<string> => {
    const limits = { keepBytes: 10_000 }
    const replies = [await asking(one, limits), await asking(other, limits)]
    const [old, next] = replies.map(({ asked }) => {
      if (asked.kind !== 'answer' || asked.answer.digests === undefined) throw new Error(asked.kind)
      return asked.answer
    })
    if (!old || !next) throw new Error('nothing asked')
    return (await compareAnswers(old, next, { ordered, floatTolerance: 0 })).kind
  }
  const up = `select g, g * 1.50 from generate_series(1, 2000) g`
  const down = `select g, g * 1.5 from generate_series(2000, 1, -1) g`
  expect(await kind(up, down, false)).toBe('equal')
  expect(await kind(up, down, true)).toBe('order')
  expect(await kind(up, up.replace('1.50', '1.5'), true)).toBe('equal')
  expect(await kind(up, `${up} where g <> 7 union all select 7, 10.51`, false)).toBe('digest')
  expect(await kind(up, `${up} where g <> 7`, false)).toBe('count')
})

it.each([
  ['many rows', `select repeat('x', 1000), generate_series(1, 100000000)`],
  ['one row', `select repeat('x', 20000000)`],
])('gives up an answer of %s that is too large, and the server ends it', async (_, text) => {
  const { asked, pid, left, received } = await asking(text, { maxBytes: MEGABYTE })
  expect(asked).toEqual({ kind: 'tooLarge', reusable: false })
  expect(left).toBe(0)
  expect(received).toBeLessThan(2 * MEGABYTE)
  await endAtServer(pid)
})

it('takes an answer that is just not too large', async () => {
  const text = `select repeat('x', 100) from generate_series(1, 100)`
  const { asked } = await asking(text)
  if (asked.kind !== 'answer') throw new Error(asked.kind)
  const { bytes } = asked.answer
  expect((await asking(text, { maxBytes: bytes })).asked.kind).toBe('answer')
  expect((await asking(text, { maxBytes: bytes - 1 })).asked.kind).toBe('tooLarge')
})

it('gives up a statement that the server has cancelled for its time, and keeps the connection', async () => {
  const setup = 'set statement_timeout = 20'
  const { asked } = await asking('select pg_sleep(60)', { timeoutMillis: 20 }, { setup })
  expect(asked).toEqual({ kind: 'timeout', reusable: true })
})

it('gives up a statement that nobody cancels', async () => {
  const { asked, left, pid } = await asking('select pg_sleep(60)', { timeoutMillis: 20 })
  expect(asked).toEqual({ kind: 'timeout', reusable: false })
  expect(left).toBe(0)
  await watcher.query('select pg_terminate_backend($1)', [pid])
  await endAtServer(pid)
})

it('says that a connection was lost', async () => {
  const pool = new Pool({ connectionString: databases.new, max: 1 })
  const client = await pool.connect()
  client.on('error', () => undefined)
  try {
    const asked = await ask(client, 'select pg_terminate_backend(pg_backend_pid())', [], LIMITS)
    expect(asked).toEqual({ kind: 'failed', code: '57P01', reusable: false })
    const again = await ask(client, 'select 1', [], LIMITS)
    expect(again).toMatchObject({ kind: 'failed', reusable: false })
  } finally {
    client.release(true)
    await pool.end()
  }
})

it('leaves no listener and no timer behind', async () => {
  const client = new Client({ connectionString: databases.new, query_timeout: 60_000 })
  await client.connect()
  try {
    const { stream } = innerClient(client)
    const before = { timers: timers(), listeners: stream.listenerCount('data') }
    for (const text of ['select 1', 'select 1/0', 'select g from generate_series(1, 30000) g'])
      await ask(client, text, [], LIMITS)
    expect(stream.listenerCount('data')).toBe(before.listeners)
    // One of an earlier test may have ended meanwhile.
    expect(timers()).toBeLessThanOrEqual(before.timers)
  } finally {
    await client.end()
  }
})

const innerClient = (client: ClientBase): { readonly stream: Socket } =>
  (client as unknown as { connection: { stream: Socket } }).connection

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
