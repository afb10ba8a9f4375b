// Reads through whole moves of an application: they go on behind an open transaction, and none is answered by the past.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, expect, it } from 'vitest'
import { createCutover, memorySource, type Cutover, type CutoverOptions } from '../../../src/index.js'
import { freshDatabases } from '../../support/databases.js'
import { eventWhere } from './fixture.js'

const TRANSACTION_MILLIS = 400

const databases = await freshDatabases()
const observers = {
  old: new pg.Client({ connectionString: databases.old }),
  new: new pg.Client({ connectionString: databases.new }),
}
for (const side of ['old', 'new'] as const) {
  await observers[side].connect()
  await observers[side].query(
    'create table item (id bigint primary key, side text not null); create table note (text text)',
  )
}

let cutover: Cutover | undefined
afterEach(async () => {
  await cutover?.end()
})
afterAll(async () => {
  await observers.old.end()
  await observers.new.end()
  await databases.drop()
})

function migrate(more: Partial<CutoverOptions>): Cutover {
  return (cutover = createCutover({
    name: `reads_${randomBytes(4).toString('hex')}`,
    old: { connectionString: databases.old, max: 6 },
    new: { connectionString: databases.new, max: 6 },
    source: memorySource('old'),
    ...more,
  }))
}

/** Writers that number what they write, and readers that must find everything that was acknowledged before they asked. */
function traffic(moving: Cutover): {
  /** Of calls that began in a hold. */
  readonly longest: { read: number; write: number }
  readonly missed: string[]
  end(): Promise<void>
} {
  const { pool } = moving
  const longest = { read: 0, write: 0 }
  const missed: string[] = []
  const over = new AbortController()
  let next = 0
  let acknowledged = 0
  const loop = async (kind: 'read' | 'write', ask: () => Promise<void>): Promise<void> => {
    while (!over.signal.aborted) {
      const began = performance.now()
      const isHeld = moving.status().route === 'held'
      await ask()
      if (isHeld) longest[kind] = Math.max(longest[kind], performance.now() - began)
      // The preparation is long and needs the processors.
      await delay(2)
    }
  }
  const write = async (): Promise<void> => {
    await pool.query('insert into item values ($1, current_database())', [++next])
    acknowledged++
  }
  const read = async (): Promise<void> => {
    const known = acknowledged
    const { rows } = await pool.query<{ n: number }>('select count(*)::int as n from item')
    const n = rows[0]?.n ?? 0
    if (n < known) missed.push(`${n} of ${known}`)
  }
  const loops = [
    ...[1, 2].map(() => loop('write', write)),
    // More than there are connections for them in a hold, so that some wait whenever reads are stopped.
    ...[1, 2, 3].map(() => loop('read', read)),
  ]
  return {
    longest,
    missed,
    async end() {
      over.abort()
      await Promise.all(loops)
    },
  }
}

/** From when the move begins to get ready until some time after its hold has begun; at work, or held calls would be let by. */
async function transactionAtHold(cutover: Cutover): Promise<void> {
  await eventWhere(cutover, 'route', ({ route }) => route === 'armed')
  const held = eventWhere(cutover, 'route', ({ route }) => route === 'held')
  const client = await cutover.pool.connect()
  await client.query('begin')
  await held
  await client.query(`select pg_sleep(${TRANSACTION_MILLIS / 1000})`)
  await client.query('commit')
  client.release()
}

it('in coordinated mode, there and back, with a transaction open at each hold', async () => {
  const moving = migrate({ control: true, tables: ['public.item'], heldReadsMax: 1 })
  await moving.ready()
  await moving.advance('shadow')
  const { longest, missed, end } = traffic(moving)
  const outcomes: unknown[] = []
  try {
    for (const move of [() => moving.advance('live'), () => moving.rollback()]) {
      longest.read = longest.write = 0
      const [event] = await Promise.all([move(), transactionAtHold(moving)])
      outcomes.push(event?.outcome)
      console.log(`longest read ${longest.read.toFixed(1)} ms, longest write ${longest.write.toFixed(1)} ms`)
      expect(longest.write).toBeGreaterThan(TRANSACTION_MILLIS - 50)
      expect(longest.read).toBeLessThan(longest.write / 2)
    }
  } finally {
    await end()
  }
  expect([outcomes, missed]).toEqual([['done', 'done'], []])
  expect(moving.status().held.reads).toBeGreaterThan(50)
})

it('in direct mode, when the source says so', async () => {
  const source = memorySource('old')
  const moving = migrate({ source })
  await moving.ready()
  const open = transactionAtHold(moving)
  const held = eventWhere(moving, 'route', ({ route }) => route === 'held')
  const done = once(moving, 'cutover')
  source.set('new')
  await held
  const write = moving.pool.query(`insert into note values ('direct') returning current_database() as name`)
  const { rows } = await moving.pool.query(
    `select current_setting('application_name') as name, count(*) = 0 as none from note`,
  )
  expect(rows).toEqual([{ name: 'pg-cutover reads', none: true }])
  expect(moving.flowsWhileHeld('select text from note')).toBe(true)
  expect(moving.status()).toMatchObject({ route: 'held', waiting: 1 })
  await open
  expect(await done).toMatchObject([{ outcome: 'done' }])
  await write
  expect((await observers.new.query('select from note')).rowCount).toBe(1)
})
