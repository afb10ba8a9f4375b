// Knex over the facade, in both kinds of versions: its leases, streams, search paths, hooks, raw connections and shutdown.
import { once, type EventEmitter } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import knex, { type Knex } from 'knex'
import knexTarn from 'knex-tarn'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { knexClient } from '../../../adapters/knex.js'
import { createCutover, memorySource, type Cutover, type MemorySource } from '../../../src/index.js'
import { freshDatabases, type FreshDatabases } from '../../support/databases.js'

/** The same names in two schemas, and each side's own word in both. */
const SCHEMA = (side: string): string => `
  create table marker as select 'public of ${side}' as text;
  create schema app; create table app.marker as select 'app of ${side}' as text;
  create schema "other, too"; create table "other, too".marker as select 'other of ${side}' as text;`

/** What Knex has beneath its types. */
interface Inside {
  readonly pool: {
    numUsed(): number
    numPendingAcquires(): number
    numFree(): number
    readonly max: number
    on(event: string, listener: (...args: readonly unknown[]) => void): void
  }
  readonly version?: string
  acquireRawConnection(): Promise<pg.Client>
  destroyRawConnection(connection: pg.Client): Promise<void>
}

interface Facade {
  readonly cutover: Cutover
  readonly source: MemorySource
  /** The statements of all connections of the cutover's pools, in their order. */
  readonly statements: string[]
  open(config?: Knex.Config): Knex
}

describe.each([
  ['3.3', knex],
  ['3.2', knexTarn as unknown as typeof knex],
])('Knex %s', (_, given) => {
  let databases: FreshDatabases
  let facades: Facade[] = []

  beforeAll(async () => {
    databases = await freshDatabases()
    for (const side of ['old', 'new'] as const) {
      const client = new pg.Client({ connectionString: databases[side] })
      await client.connect()
      await client.query(SCHEMA(side))
      await client.end()
    }
  })
  afterEach(async () => {
    for (const { cutover } of facades) await cutover.end()
    facades = []
  })
  afterAll(() => databases.drop())

  async function facade(max = 1): Promise<Facade> {
    const source = memorySource('old')
    const statements: string[] = []
    const cutover = createCutover({
      name: 'knex',
      old: { connectionString: databases.old, max },
      new: { connectionString: databases.new, max },
      source,
      control: false,
      mirror: 'none',
    })
    cutover.pool.on('connect', (client) => {
      const query = client.query.bind(client) as (...args: unknown[]) => unknown
      Object.assign(client, {
        query: (...args: unknown[]) => {
          const [text] = args
          statements.push(typeof text === 'string' ? text : String(Object(text).text))
          return query(...args)
        },
      })
    })
    await cutover.ready()
    const made: Facade = {
      cutover,
      source,
      statements,
      open: (config = {}) =>
        given({ log: { warn: () => {} }, version: '15', ...config, client: knexClient(given, cutover) }),
    }
    facades.push(made)
    return made
  }

  const inside = (db: Knex): Inside => db.client
  const marker = async (db: Knex | pg.Pool): Promise<unknown> => {
    if (db instanceof pg.Pool) return (await db.query('select text from marker')).rows[0]?.text
    return (await db('marker').first<{ text: string }>('text')).text
  }
  const held = async ({ cutover, source }: Facade): Promise<void> => {
    source.set('hold')
    while (cutover.status().route !== 'held') await once(cutover, 'route')
  }
  const reasonOf = (call: PromiseLike<unknown>): Promise<unknown> =>
    Promise.resolve(call).then(
      () => {
        throw new Error('it was meant to fail')
      },
      (error: unknown) => error,
    )

  describe('a call that waits too long', () => {
    it("fails with Knex's own error, and the late connection is given back", async () => {
      const { cutover, open } = await facade()
      const db = open({ acquireConnectionTimeout: 30 })
      const taken = await cutover.pool.connect()
      const error = await reasonOf(db('marker').where({ text: 'x' }))
      expect(error).toBeInstanceOf(given.KnexTimeoutError)
      expect(error).toMatchObject({ message: expect.stringContaining('Timeout acquiring a connection') })
      expect(inside(db).pool.numPendingAcquires()).toBe(0)
      taken.release()
      expect(await marker(cutover.pool)).toBe('public of old')
      expect(inside(db).pool.numUsed()).toBe(0)
      await db.destroy()
    })

    it('has its time once the hold is over, and no more of it', async () => {
      const one = await facade()
      const db = one.open({ acquireConnectionTimeout: 40 })
      const taken = await one.cutover.pool.connect()
      await held(one)
      const since = performance.now()
      const error = reasonOf(marker(db))
      let over = 0
      void error.then(() => (over = performance.now() - since))
      while (performance.now() - since < 100) await taken.query('select 1')
      expect(over).toBe(0)
      one.source.set('old')
      expect(await error).toBeInstanceOf(given.KnexTimeoutError)
      expect(over).toBeGreaterThan(130)
      taken.release()
      await db.destroy()
    })
  })

  describe('a stream', () => {
    it('that is read later than its statement does not give away what another call has by then', async () => {
      const db = (await facade()).open()
      const { pool } = inside(db)
      const stream = db.raw('select n from generate_series(1, 5) n').stream()
      // Its few rows are all in the stream, and nobody has asked for them.
      while (stream.readableLength < 5 || pool.numUsed() > 0) await turn()
      const trx = await db.transaction()
      const rows: unknown[] = []
      for await (const row of stream) rows.push(row)
      await turn()
      expect(rows).toHaveLength(5)
      expect(pool.numUsed()).toBe(1)
      const other = db.raw('select pg_backend_pid() as pid')
      const asked = other.then(() => 'had a connection of its own')
      await trx.raw('select 1')
      expect(await Promise.race([asked, trx.raw('select 1').then(() => 'waits')])).toBe('waits')
      await trx.commit()
      expect(await asked).toBe('had a connection of its own')
      await db.destroy()
    })

    it('that is given up before its connection comes does not keep it', async () => {
      const db = (await facade()).open()
      const trx = await db.transaction()
      const stream = db.raw('select n from generate_series(1, 100000) n').stream()
      stream.destroy()
      await once(stream, 'close')
      await trx.commit()
      expect(await marker(db)).toBe('public of old')
      expect(inside(db).pool.numUsed()).toBe(0)
      await db.destroy()
    })
  })

  describe('a search path', () => {
    it('is set once for a connection, on either side', async () => {
      const one = await facade()
      const db = one.open({ searchPath: ['app', 'public'] })
      for (let times = 0; times < 3; times++) expect(await marker(db)).toBe('app of old')
      expect(await db.transaction((trx) => marker(trx))).toBe('app of old')
      const set = 'set search_path to "app","public"'
      expect(one.statements.filter((text) => text === set)).toHaveLength(1)
      await one.cutover.advance('new')
      for (let times = 0; times < 3; times++) expect(await marker(db)).toBe('app of new')
      expect(one.statements.filter((text) => text === set)).toHaveLength(2)
      await db.destroy()
    })

    it('is seen by nobody else who has the same connection', async () => {
      const { cutover, open } = await facade()
      const [app, other, plain] = [open({ searchPath: 'app' }), open({ searchPath: ['other, too'] }), open()]
      for (let times = 0; times < 2; times++) {
        expect(await marker(app)).toBe('app of old')
        expect(await marker(cutover.pool)).toBe('public of old')
        expect(await marker(other)).toBe('other of old')
        expect(await marker(app)).toBe('app of old')
        expect(await marker(plain)).toBe('public of old')
        expect(await marker(other)).toBe('other of old')
      }
      expect(cutover.pool.totalCount).toBe(1)
      for (const db of [app, other, plain]) await db.destroy()
    })

    it('that is none costs a statement and no connection', async () => {
      const { open } = await facade()
      const db = open({ searchPath: { app: true } as unknown as string })
      for (let times = 0; times < 2; times++)
        expect(await reasonOf(db.raw('select 1'))).toMatchObject({
          message: expect.stringContaining('searchPath'),
        })
      expect(inside(db).pool.numUsed()).toBe(0)
      await db.destroy()
    })
  })

  describe('a connection', () => {
    it('is prepared once by the hook, and not used where that fails', async () => {
      const { cutover, open } = await facade()
      const created: unknown[] = []
      const db = open({
        pool: {
          afterCreate: (connection: pg.Client, done: (error?: Error) => void) => {
            created.push(connection)
            if (created.length === 1) done(new Error('not this one'))
            else connection.query('set application_name = prepared', done)
          },
        },
      })
      expect(await reasonOf(db.raw('select 1'))).toMatchObject({ message: 'not this one' })
      for (let times = 0; times < 3; times++)
        expect((await db.raw('show application_name')).rows).toEqual([{ application_name: 'prepared' }])
      expect(created).toHaveLength(2)
      await cutover.advance('new')
      expect((await db.raw('show application_name')).rows).toEqual([{ application_name: 'prepared' }])
      expect(created).toHaveLength(3)
      await db.destroy()
    })

    it('keeps nothing of each Knex that has used it', async () => {
      const { cutover, open } = await facade()
      const listeners = async (): Promise<number | undefined> => {
        const db = open({ searchPath: ['public'] })
        await db.raw('select 1')
        await db.destroy()
        const client = await cutover.pool.connect()
        const { connection } = client as unknown as { readonly connection?: EventEmitter }
        client.release()
        return connection?.listenerCount('errorMessage')
      }
      const before = await listeners()
      expect(before).toBeGreaterThan(0)
      for (let times = 0; times < 3; times++) expect(await listeners()).toBe(before)
      expect(cutover.pool.totalCount).toBe(1)
    })

    it('keeps its name in the events, and says its version', async () => {
      const { open } = await facade()
      const db = open({ version: undefined as unknown as string })
      const names = new Set<unknown>()
      const failed: unknown[] = []
      db.on('query', ({ __knexUid }) => names.add(__knexUid))
      db.on('query-error', (_error, { sql }) => failed.push(sql))
      await db.raw('select 1')
      await db.transaction((trx) => trx.raw('select 2'))
      await reasonOf(db.raw('selct 3'))
      expect([...names]).toEqual([expect.stringMatching(/^__knexUid\d+$/)])
      expect(failed).toEqual(['selct 3'])
      expect(inside(db).version).toMatch(/^15\./)
      await db.destroy()
    })

    it('on which a statement was left behind is thrown away', async () => {
      const { cutover, open } = await facade()
      const db = open()
      expect(await reasonOf(db.raw('select pg_sleep(0.3)').timeout(20))).toMatchObject({ timeout: 20 })
      expect(cutover.pool.totalCount).toBe(0)
      expect(await marker(db)).toBe('public of old')
      await db.destroy()
    })

    it('of its own goes along with the cutover', async () => {
      const { cutover, open } = await facade()
      const db = open({ searchPath: 'app' })
      const raw = await inside(db).acquireRawConnection()
      expect((await raw.query('select text from marker')).rows).toEqual([{ text: 'app of old' }])
      expect(cutover.pool.totalCount).toBe(0)
      await cutover.advance('new')
      expect((await raw.query('select text from marker')).rows).toEqual([{ text: 'app of new' }])
      await inside(db).destroyRawConnection(raw)
      await db.destroy()
    })

    it('that dies while idle is told to the log', async () => {
      const { cutover, open } = await facade(2)
      const warned: string[] = []
      const db = open({ log: { warn: (message: string) => warned.push(message) } })
      const pid: unknown = (await db.raw('select pg_backend_pid() as pid')).rows[0]?.pid
      const lost = once(cutover.pool, 'error')
      const killer = new pg.Client({ connectionString: databases.old })
      await killer.connect()
      await killer.query('select pg_terminate_backend($1)', [pid])
      await killer.end()
      await lost
      expect(warned).toEqual([expect.stringMatching(/^Connection Error: /)])
      await db.destroy()
    })
  })

  it('parses by its own types, in streams too, and nobody else does', async () => {
    const { cutover, open } = await facade()
    const types = { getTypeParser: () => (text: string) => `<${text}>` }
    const db = open({ connection: { types } as unknown as Knex.StaticConnectionConfig })
    expect((await db.raw('select 1 as n')).rows).toEqual([{ n: '<1>' }])
    const streamed: unknown[] = []
    for await (const row of db.raw('select 2 as n').stream()) streamed.push(row)
    expect(streamed).toEqual([{ n: '<2>' }])
    expect(await db.transaction(async (trx) => (await trx.raw('select 3 as n')).rows)).toEqual([{ n: '<3>' }])
    expect((await cutover.pool.query('select 4 as n')).rows).toEqual([{ n: 4 }])
    await db.destroy()
  })

  it("shows its leases where tarn's are looked at", async () => {
    const { open } = await facade(3)
    const db = open()
    const { pool } = inside(db)
    const events: string[] = []
    for (const event of ['acquireRequest', 'acquireSuccess', 'acquireFail', 'release'])
      pool.on(event, () => events.push(event))
    await db.transaction(async (trx) => {
      await trx.raw('select 1')
      expect([pool.numUsed(), pool.numFree(), pool.numPendingAcquires(), pool.max]).toEqual([1, 0, 0, 3])
    })
    expect([pool.numUsed(), pool.numFree()]).toEqual([0, 1])
    expect(events).toEqual(['acquireRequest', 'acquireSuccess', 'release'])
    await db.destroy()
  })

  describe('destroy', () => {
    it('waits for what is out, fails what waits, and ends its own view alone', async () => {
      const { cutover, open } = await facade()
      const [db, other] = [open(), open()]
      const trx = await db.transaction()
      const waiting = reasonOf(db.raw('select 1'))
      const ended: string[] = []
      const destroyed = [db.destroy(), db.destroy()].map((call) => call.then(() => ended.push('ended')))
      expect(await waiting).toMatchObject({ message: 'aborted' })
      expect((await trx.raw('select 1 as one')).rows).toEqual([{ one: 1 }])
      expect(ended).toEqual([])
      await trx.commit()
      await Promise.all(destroyed)
      await db.destroy()
      expect(await reasonOf(db.raw('select 1'))).toMatchObject({ message: 'Unable to acquire a connection' })
      expect([await marker(other), await marker(cutover.pool)]).toEqual(['public of old', 'public of old'])
      await other.destroy()
    })

    it('is undone by initialize, and nothing after the end of the cutover', async () => {
      const { cutover, open } = await facade()
      const db = open({ searchPath: 'app' })
      await db.destroy()
      db.initialize()
      expect(await marker(db)).toBe('app of old')
      await cutover.end()
      expect(await reasonOf(db.raw('select 1'))).toMatchObject({
        message: expect.stringContaining('after calling end'),
      })
      await db.destroy()
      expect(() => db.initialize()).toThrow(expect.objectContaining({ code: 'ERR_ENDED' }))
    })
  })

  it('does what it does on its own pool', async () => {
    const { open } = await facade(4)
    const config = {
      log: { warn: () => {} },
      wrapIdentifier: (name: string, original: (name: string) => string) => original(name.toLowerCase()),
      postProcessResponse: (result: unknown) => (Array.isArray(result) ? [...result, 'processed'] : result),
    }
    const stock = given({ ...config, client: 'pg', connection: databases.old, pool: { min: 0, max: 4 } })
    const own = open(config)
    try {
      const expected = await features(stock)
      expect(await features(own)).toEqual(expected)
      expect(inside(own).pool.numUsed()).toBe(0)
    } finally {
      await Promise.all([stock.destroy(), own.destroy()])
    }
  })
})

/** One after another, and what came of each. */
async function features(db: Knex): Promise<unknown> {
  const found: unknown[] = []
  const migrationSource: Knex.MigrationSource<string> = {
    getMigrations: () => Promise.resolve(['one', 'two']),
    getMigrationName: (name) => name,
    getMigration: (name) =>
      Promise.resolve({
        up: (on) => on.schema.createTable(name, (table) => table.increments('id').primary()),
        down: (on) => on.schema.dropTable(name),
      }),
  }
  const migrations = { migrationSource }
  await db.migrate.up(migrations)
  // As another process of the deployment does.
  await db('knex_migrations_lock').update({ is_locked: 1 })
  found.push(await db.migrate.latest(migrations).catch((error: Error) => error.name))
  await db.migrate.forceFreeMigrationsLock(migrations)
  found.push(await db.migrate.latest(migrations))
  found.push(await db.migrate.list(migrations).then((lists: unknown[][]) => lists.map((list) => list.length)))
  await db.seed.run({
    seedSource: {
      getSeeds: () => Promise.resolve(['seed']),
      getSeed: () =>
        Promise.resolve({
          seed: async (on: Knex) => void (await on('one').insert([{ id: 11 }, { id: 12 }])),
        }),
    },
  })
  found.push(await db.batchInsert('two', [{ id: 1 }, { id: 2 }, { id: 3 }], 2).returning('id'))
  found.push(
    await new Promise((resolve) => {
      void db('ONE')
        .select('ID')
        .asCallback((_error: unknown, rows: unknown) => resolve(rows))
    }),
  )
  const provider = db.transactionProvider()
  const trx = await provider()
  await trx('one').insert({ id: 13 })
  found.push((await provider()) === trx, trx.isCompleted())
  await trx.rollback()
  await trx.executionPromise
  found.push(trx.isCompleted(), await db('one').count())
  const cloned = db.withUserParams({ who: 'me' })
  found.push(cloned.userParams, await cloned('two').where('id', 1))
  await db.transaction(
    async (outer) => {
      found.push(outer.userParams, await outer.raw('show transaction_read_only').then(({ rows }) => rows))
    },
    { readOnly: true, isolationLevel: 'repeatable read' },
  )
  await db.migrate.rollback(migrations, true)
  found.push(await db.schema.hasTable('one'), await db.migrate.currentVersion(migrations))
  await db.schema.dropTable('knex_migrations')
  await db.schema.dropTable('knex_migrations_lock')
  return found
}
