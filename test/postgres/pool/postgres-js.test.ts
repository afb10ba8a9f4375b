// postgres.js over both databases: which side its lazy queries, leases and streams run on, and what becomes of connections.
import { once } from 'node:events'
import { text as textOf } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { postgresOver } from '../../../adapters/postgres-js.js'
import { memorySource, type Cutover, type MemorySource, type Side } from '../../../src/index.js'
import { freshDatabases, type FreshDatabases } from '../../support/databases.js'
import { directCutover } from '../../support/direct-cutover.js'

const SCHEMA = (side: Side): string => `
  create table marker (side text);
  insert into marker values ('${side}');
  create table entry (key text);
  ${side === 'new' ? 'create type earlier as enum (); create table between_them (x int);' : ''}
  create type mood as enum ('calm', 'wild')`

let databases: FreshDatabases
let observers: Record<Side, postgres.Sql>
let cutover: Cutover
let source: MemorySource
let sql: postgres.Sql
let made: Side[]

const on = (side: Side): Promise<string[]> =>
  observers[side]<{ key: string }[]>`select key from entry order by key`.then((rows) =>
    rows.map(({ key }) => key),
  )

const backends = (side: Side): Promise<number> =>
  observers[side]`select from pg_stat_activity
    where datname = current_database() and application_name = 'postgres.js'`.then(({ length }) => length)

const WHERE = 'select side from marker'
const where = async (): Promise<unknown> => (await sql.unsafe<{ side: string }[]>(WHERE))[0]?.side

async function routed(route: string): Promise<void> {
  while (cutover.status().route !== route) await once(cutover, 'route')
}

async function hold(): Promise<void> {
  source.set('hold')
  await routed('held')
}

async function letGo(): Promise<void> {
  source.set('old')
  await routed('direct')
}

beforeAll(async () => {
  databases = await freshDatabases()
  const observer = (side: Side): postgres.Sql =>
    postgres(databases[side], {
      max: 1,
      connection: { application_name: 'observer' },
      onnotice: () => undefined,
    })
  observers = { old: observer('old'), new: observer('new') }
  for (const side of ['old', 'new'] as const) await observers[side].unsafe(SCHEMA(side))
})

beforeEach(async () => {
  source = memorySource('old')
  cutover = await directCutover(databases, 'lazy', source)
  made = []
  sql = postgresOver(cutover, (side) => {
    made.push(side)
    return postgres(databases[side], { max: 3, onnotice: () => undefined })
  })
})

afterEach(async () => {
  await sql.end({ timeout: 1 })
  await cutover.end()
  for (const side of ['old', 'new'] as const) await observers[side]`truncate entry`
})

afterAll(async () => {
  await Promise.all([observers.old.end(), observers.new.end()])
  await databases.drop()
})

describe('a query', () => {
  it('chooses its side when it is executed, not when it is made', async () => {
    const query = sql`select side from marker`
    const raw = sql.unsafe(WHERE)
    await cutover.advance('new')
    expect([...(await query), ...(await raw)]).toEqual([{ side: 'new' }, { side: 'new' }])
  })

  it('is not executed before anybody asks, and once however often they do', async () => {
    const never = sql`insert into entry values ('never')`
    const once = sql`insert into entry values ('once')`
    await Promise.all([once, once])
    await once
    await where()
    expect(await on('old')).toEqual(['once'])
    expect(never).toBeInstanceOf(Promise)
  })

  it('takes fragments, lists and rows that were made before a flip, and on any sql', async () => {
    const row = sql({ key: 'row' })
    const column = sql('key')
    const condition = sql`where ${column} in ${sql(['row', 'other'])}`
    await cutover.advance('new')
    await sql`insert into entry ${row}`
    expect([...(await sql`select ${column} from entry ${condition}`)]).toEqual([{ key: 'row' }])
    const inside = await sql.begin((tx) => tx`select ${column} from entry ${condition} ${tx`limit 1`}`)
    expect([...inside]).toEqual([{ key: 'row' }])
  })

  it('knows the array types of the side that it runs on', async () => {
    const arrays = [sql.array(['a,b', 'c']), sql.array([true, false]), sql.array([new Date(0)])] as const
    const ask = async (on: postgres.Sql, [texts, flags, moments]: typeof arrays): Promise<unknown> =>
      (
        await on`select ${texts} as texts, ${flags} as flags, ${moments} as moments, '{calm,wild}'::mood[] as moods`
      )[0]
    await where()
    await cutover.advance('new')
    expect(await ask(sql, arrays)).toEqual({
      texts: ['a,b', 'c'],
      flags: [true, false],
      moments: [new Date(0)],
      moods: ['calm', 'wild'],
    })
  })

  it('has all forms of results', async () => {
    await cutover.advance('new')
    expect([...(await sql`select side, 1 as one from marker`.values())]).toEqual([['new', 1]])
    expect(String((await sql`select side from marker`.raw())[0]?.[0])).toBe('new')
    expect((await sql`select side from marker where side = ${'x'}`.describe()).columns[0]?.name).toBe('side')
    const sides: unknown[] = []
    await sql`select side from marker`.forEach(({ side }) => sides.push(side))
    await sql`select side from marker`.cursor((rows) => void sides.push(...rows))
    for await (const [row] of sql`select side from marker`.cursor()) sides.push(row?.['side'])
    expect(sides).toEqual(['new', { side: 'new' }, 'new'])
  })

  it('that fails and is looked at by nobody is an unhandled rejection, as it is with postgres.js', async () => {
    const listeners = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    try {
      const unhandled = once(process, 'unhandledRejection')
      void sql`select 1 / 0`.execute()
      expect(await unhandled).toMatchObject([{ code: '22012' }, expect.anything()])
    } finally {
      for (const listener of listeners) process.on('unhandledRejection', listener)
    }
  })

  it('says in its error where it was made', async () => {
    const error = await sql`select 1 / ${0}::int`.catch((reason: Error) => reason)
    expect((error as Error).stack).toContain('postgres-js.test.ts')
  })

  it('can be given up while it waits, and is never sent then', async () => {
    await hold()
    const query = sql`insert into entry values ('given up')`.execute()
    const failed = query.catch((error: Error & { code?: string }) => error.code)
    await observers.old`select 1`
    query.cancel()
    expect(await failed).toBe('57014')
    await letGo()
    expect(await where()).toBe('old')
    expect(await on('old')).toEqual([])
    // Nor is it waited for.
    await cutover.advance('new')
  })

  it('fails with the reason when nothing is served any more', async () => {
    await hold()
    const failed = sql`select 1`.catch((error: Error) => error.message)
    await cutover.end()
    expect(await failed).toBe('Cannot use a pool after calling end on the pool')
  })
})

describe('what is under way', () => {
  /** Starts a move away from OLD. */
  async function leaving(): Promise<{ readonly moved: Promise<unknown>; stillThere(): Promise<void> }> {
    let isOver = false
    const moved = cutover.advance('new').finally(() => (isOver = true))
    await routed('held')
    return {
      moved,
      async stillThere() {
        await observers.old`select 1`
        await observers.old`select 1`
        expect(isOver).toBe(false)
      },
    }
  }

  it('keeps its side to its end: a cursor, and a COPY whose query has answered long before', async () => {
    const cursor = sql`select side, n from marker, generate_series(1, 3) n`.cursor()[Symbol.asyncIterator]()
    const copy = await sql`copy entry from stdin`.writable()
    const rows = [(await cursor.next()).value]
    const { moved, stillThere } = await leaving()
    rows.push((await cursor.next()).value, (await cursor.next()).value)
    expect(await cursor.next()).toEqual({ done: true })
    expect(rows).toEqual([1, 2, 3].map((n) => [{ side: 'old', n }]))
    await stillThere()
    await pipeline(Readable.from(['a\n', 'b\n']), copy)
    await moved
    expect([await on('old'), await on('new')]).toEqual([['a', 'b'], []])
    expect(await textOf(await sql`copy marker to stdout`.readable())).toBe('new\n')
  })

  it('keeps its side to its end: a reserved connection, given back with a statement under way', async () => {
    const reserved = await sql.reserve()
    const { moved, stillThere } = await leaving()
    await stillThere()
    expect([...(await reserved`select side from marker`)]).toEqual([{ side: 'old' }])
    const last = reserved`insert into entry select 'last' from pg_sleep(0.05)`.execute()
    reserved.release()
    await stillThere()
    await last
    await moved
    expect([await on('old'), await on('new')]).toEqual([['last'], []])
  })
})

describe('connections', () => {
  it('are opened before a move and closed after it, and new ones made on the way back', async () => {
    await Promise.all([where(), where(), where()])
    expect(await backends('old')).toBe(3)
    await cutover.advance('new')
    expect(await where()).toBe('new')
    await expect.poll(() => backends('old')).toBe(0)
    expect(await backends('new')).toBe(3)
    await cutover.advance('old')
    expect(await where()).toBe('old')
    await expect.poll(() => backends('new')).toBe(0)
    expect(made.filter((side) => side === 'old')).toHaveLength(2)
  })

  it('are all closed by end(), which waits for what was executed before it', async () => {
    const before = [
      sql`select 1`.execute(),
      sql`insert into entry select 'before' from pg_sleep(0.02)`.execute(),
    ]
    await sql.end()
    await Promise.all(before)
    expect(await on('old')).toEqual(['before'])
    await expect(where()).rejects.toMatchObject({ code: 'CONNECTION_ENDED' })
    await expect(sql.begin(() => 1)).rejects.toMatchObject({ code: 'CONNECTION_ENDED' })
    await expect.poll(() => backends('old')).toBe(0)
    expect((await cutover.pool.query(WHERE)).rows).toEqual([{ side: 'old' }])
  })

  it('are closed by an end() with a timeout though something waits, which then fails', async () => {
    await hold()
    const waiting = where().catch((error: Error & { code?: string }) => error.code)
    await observers.old`select 1`
    await sql.end({ timeout: 0.02 })
    expect(await waiting).toBe('CONNECTION_ENDED')
    await letGo()
  })

  it('are closed by the end of the migration', async () => {
    await where()
    await cutover.end()
    await expect.poll(() => backends('old')).toBe(0)
  })
})

describe('notifications', () => {
  it('are heard on either side, and told anew after a gap', async () => {
    const heard: string[] = []
    let listens = 0
    const { unlisten } = await sql.listen(
      'news',
      (payload) => heard.push(payload),
      () => listens++,
    )
    expect(listens).toBe(1)
    await sql.notify('news', 'from old')
    await expect.poll(() => heard).toEqual(['from old'])
    await cutover.advance('new')
    await expect.poll(() => listens).toBe(2)
    await sql.notify('news', 'from new')
    await expect.poll(() => heard).toEqual(['from old', 'from new'])
    await unlisten()
  })

  it('of a replication slot are refused, and large objects too', async () => {
    for (const call of [sql.subscribe('*', () => undefined), sql.largeObject()])
      await expect(call).rejects.toMatchObject({ code: 'ERR_OPTION' })
  })
})

it('shows the options and parameters of the side in use', async () => {
  await where()
  const before = sql.options.port
  expect(sql.parameters).toHaveProperty('server_version')
  await cutover.advance('new')
  expect(sql.options.port).not.toEqual(before)
})
