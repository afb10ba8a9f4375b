// Knex while the process holds: reads are answered, and what would have to wait for a connection waits for the end.
import { once, type EventEmitter } from 'node:events'
import knex, { type Knex } from 'knex'
import knexTarn from 'knex-tarn'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { knexClient } from '../../../adapters/knex.js'
import { memorySource, type Cutover, type MemorySource } from '../../../src/index.js'
import { freshDatabases, runOn, type FreshDatabases } from '../../support/databases.js'
import { directCutover } from '../../support/direct-cutover.js'
import { reasonOf, stateOf, turn } from './fixture.js'

const SCHEMA = (side: string): string[] => [
  `create table marker as select '${side}' as side`,
  `create table note (id serial primary key, text text not null)`,
  `create function note_it(text text) returns int language sql as
     'insert into note (text) values (text) returning id'`,
]

interface Lease {
  query(text: string): Promise<pg.QueryResult>
}

/** What Knex has beneath its types. */
interface Inside {
  readonly pool: EventEmitter & {
    numUsed(): number
    numPendingAcquires(): number
    lend(text: string): Lease | undefined
    release(lease: Lease | undefined): boolean
  }
}

const inside = (db: Knex): Inside => db.client

let databases: FreshDatabases
let locker: pg.Client
let source: MemorySource
let cutover: Cutover

beforeAll(async () => {
  databases = await freshDatabases()
  await runOn(databases.old, SCHEMA('old'))
  await runOn(databases.new, SCHEMA('new'))
  locker = new pg.Client({ connectionString: databases.old })
  await locker.connect()
})
beforeEach(async () => {
  source = memorySource('old')
  cutover = await directCutover(databases, 'knex', source)
})
afterEach(async () => {
  await locker.query('rollback')
  await cutover.end()
  for (const side of ['old', 'new'] as const) await runOn(databases[side], ['truncate note'])
})
afterAll(async () => {
  await locker.end()
  await databases.drop()
})

describe.each([
  ['3.3', knex],
  ['3.2', knexTarn as unknown as typeof knex],
])('Knex %s', (_, given) => {
  const open = (config: Knex.Config = {}): Knex =>
    given({ log: { warn: () => {}, error: () => {} }, ...config, client: knexClient(given, cutover) })

  /** Resolves while the process holds and answers reads. */
  async function flowing(): Promise<void> {
    while (!cutover.flowsWhileHeld('select side from marker')) await turn()
  }

  async function held(): Promise<void> {
    source.set('hold')
    await flowing()
  }

  async function released(): Promise<void> {
    source.set('old')
    while (cutover.status().route !== 'direct') await once(cutover, 'route')
  }

  const notes = async (side: 'old' | 'new'): Promise<string[]> => {
    const client = new pg.Client({ connectionString: databases[side] })
    await client.connect()
    const { rows } = await client.query<{ text: string }>('select text from note order by text')
    await client.end()
    return rows.map(({ text }) => text)
  }

  it('reads on while a transaction keeps a move from ending, and everything else waits for it', async () => {
    const db = open()
    const trx = await db.transaction()
    await trx('note').insert({ text: 'in the transaction' })
    const moved = cutover.advance('new')
    await flowing()

    expect(await db('marker').first<{ side: string }>('side')).toEqual({ side: 'old' })
    expect(await db('marker').pluck<string[]>('side')).toEqual(['old'])
    expect(await db('marker').count()).toEqual([{ count: '1' }])
    expect((await db.raw("select ?::int + 1 as n, '\\?' as mark", [1])).rows).toEqual([{ n: 2, mark: '?' }])
    expect(await db('note').columnInfo('text')).toMatchObject({ type: 'text', nullable: false })
    const [one, two] = await Promise.all([db('marker').select(), db('note').select()])
    expect([one, two]).toEqual([[{ side: 'old' }], []])
    expect(await reasonOf(Promise.resolve(db.raw('select 1 / ?', [0])))).toMatchObject({ code: '22012' })

    const read: unknown[] = []
    const stream = async (): Promise<void> => {
      for await (const row of db('marker').select().stream()) read.push(row)
    }
    const waiting: Promise<unknown>[] = [
      db('note').insert({ text: 'a write' }),
      db.raw('select note_it(?)', ['a function that writes']),
      db.transaction(async (other) => void (await other('note').insert({ text: 'a transaction' }))),
      db('marker').forUpdate().select(),
      db('marker').select().timeout(60_000, { cancel: true }),
      db.schema.hasTable('note'),
      stream(),
    ].map((call) => Promise.resolve(call))
    for (const call of waiting) expect(await stateOf(call)).toBe('pending')
    expect([inside(db).pool.numUsed(), inside(db).pool.numPendingAcquires()]).toEqual([1, waiting.length])

    await trx.commit()
    await Promise.all([moved, ...waiting])
    expect(read).toEqual([{ side: 'new' }])
    expect(await notes('old')).toEqual(['in the transaction'])
    expect(await notes('new')).toEqual(['a function that writes', 'a transaction', 'a write'])
    expect([inside(db).pool.numUsed(), inside(db).pool.numPendingAcquires()]).toEqual([0, 0])
    await db.destroy()
  })

  it('tells of such reads as of all others, and parses by its own types', async () => {
    const types = { getTypeParser: () => (text: string) => `<${text}>` }
    const db = open({ connection: { types } as unknown as Knex.StaticConnectionConfig })
    const events: unknown[] = []
    for (const event of ['acquireRequest', 'acquireSuccess', 'acquireFail', 'release'])
      inside(db).pool.on(event, (request: unknown) => events.push([event, typeof request]))
    const names = new Set<unknown>()
    db.on('query', ({ __knexUid }) => names.add(__knexUid))
    db.on('query-error', ({ code }) => events.push(code))
    await held()
    expect(await db('marker').select()).toEqual([{ side: '<old>' }])
    await reasonOf(Promise.resolve(db.raw('select 1 / 0')))
    const lease = [
      ['acquireRequest', 'number'],
      ['acquireSuccess', 'number'],
    ]
    expect(events).toEqual([...lease, ['release', 'object'], ...lease, '22012', ['release', 'object']])
    expect([...names]).toEqual([
      expect.stringMatching(/^__knexUid\d+$/),
      expect.stringMatching(/^__knexUid\d+$/),
    ])
    await released()
    await db.destroy()
  })

  it.each([
    ['a search path', { searchPath: ['public'] }],
    ['a hook', { pool: { afterCreate: (_: unknown, done: () => void) => done() } }],
  ])('waits with its reads where it has %s, which no other session has', async (_name, config) => {
    const db = open(config)
    await held()
    const call = Promise.resolve(db('marker').select())
    expect(await stateOf(call)).toBe('pending')
    await released()
    expect(await call).toEqual([{ side: 'old' }])
    await db.destroy()
  })

  it('runs once, and after the hold, what a listener has made of a read', async () => {
    const db = open()
    await held()
    const builder = db('note').select('text')
    builder.on('start', () => void builder.insert({ text: 'made of a read' }))
    const call = Promise.resolve(builder)
    expect(await stateOf(call)).toBe('pending')
    await released()
    await call
    expect(await notes('old')).toEqual(['made of a read'])
    await db.destroy()
  })

  it('is answered where the hold ends between its lease and its statement', async () => {
    const db = open()
    await held()
    const { pool } = inside(db)
    const lease = pool.lend('select side from marker')
    await released()
    expect((await lease?.query('select side from marker'))?.rows).toEqual([{ side: 'old' }])
    expect([pool.release(lease), pool.release(lease)]).toEqual([true, false])
    await db.destroy()
  })

  it('waits for such a read in destroy, and lends nothing more', async () => {
    const db = open()
    await locker.query('begin; lock table marker')
    await held()
    const read = Promise.resolve(db('marker').select())
    const late = inside(db).pool
    while (late.numUsed() === 0) await turn()
    const destroyed = db.destroy()
    expect(await stateOf(destroyed)).toBe('pending')
    expect(late.lend('select side from marker')).toBeUndefined()
    await locker.query('rollback')
    expect(await read).toEqual([{ side: 'old' }])
    await destroyed
    await released()
  })

  it('fails with a read whose backend was killed, and with no other', async () => {
    const db = open()
    await locker.query('begin; lock table marker')
    await held()
    const reason = reasonOf(Promise.resolve(db('marker').select()))
    const blocked = `select pg_terminate_backend(pid) as done from pg_stat_activity
                      where application_name = 'pg-cutover reads' and wait_event_type = 'Lock'`
    const killer = new pg.Client({ connectionString: databases.old })
    await killer.connect()
    while ((await killer.query(blocked)).rows.length === 0) await turn()
    await killer.end()
    expect(await reason).toMatchObject({ code: '57P01' })
    await locker.query('rollback')
    expect(await db('marker').select()).toEqual([{ side: 'old' }])
    expect(inside(db).pool.numUsed()).toBe(0)
    await released()
    await db.destroy()
  })
})
