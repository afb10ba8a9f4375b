// What every part of the data layer contract gets: a library on its own pool and on the facade, and observers on both sides.
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import pg from 'pg'
import { createCutover, memorySource, type Cutover, type MemorySource } from '../../../../src/index.js'
import { freshDatabases, named, type FreshDatabases, type Side } from '../../../support/databases.js'
import type { Capability, DataLayer, OpenOptions, Row, Session } from '../subject.js'
import { createDataLayerTables } from '../tables.js'

export const MAX = 4
const PATIENCE_MILLIS = 5_000

/** A session over the facade, and the migration under it. */
export interface Facade {
  readonly session: Session
  readonly cutover: Cutover
  readonly source: MemorySource
}

export interface Fixture {
  readonly layer: DataLayer
  /** On its own pool, over OLD. Lives as long as the file. */
  stock(): Session
  /** On the facade. Lives as long as the file, and is at OLD at the beginning of each test. */
  facade(): Facade
  /** More of either kind, closed after the test if it is not closed by then. */
  openStock(options: OpenOptions): Promise<Session>
  openFacade(options: OpenOptions): Promise<Facade>
  /** By a connection that has nothing to do with the library. */
  observe<R extends pg.QueryResultRow = Row>(side: Side, text: string, values?: unknown[]): Promise<R[]>
  /** The observer's first row, once there is one. */
  seen<R extends pg.QueryResultRow = Row>(side: Side, text: string, values?: unknown[]): Promise<R>
  /** The backends of the application on OLD. */
  backends(): Promise<readonly number[]>
  /** Resolves when the server has let go of them. */
  gone(side: Side, pids: readonly number[]): Promise<void>
  /** Kills backends of the application and returns when the server has let go of them. */
  kill(side: Side, pids: readonly number[]): Promise<void>
  /** Fails if the library or the migration still has something under way. */
  nothingOut(facade?: Facade): Promise<void>
  lacks(capability: Capability): boolean
  /** A text that no note has. */
  unique(): string
}

/** One of the two ways that a library is opened in, for the tests that run on both. */
export interface Place {
  readonly kind: 'stock' | 'facade'
  readonly session: () => Session
  readonly open: (options: OpenOptions) => Promise<Session>
}

/** Every client backend but the observer: the application, and what was forgotten of it. */
export const APPLICATION = `datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
  and application_name <> 'observer'`

export function createFixture(layer: DataLayer): Fixture {
  let databases: FreshDatabases | undefined
  let observers: Record<Side, pg.Client> | undefined
  let stock: Session | undefined
  let facade: Facade | undefined
  let opened: { cutover?: Cutover; session: Session | undefined }[] = []
  let notes = 0

  const there = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error('not before the tests run')
    return value
  }

  async function over(options: OpenOptions): Promise<Facade> {
    const { old, new: opened } = there(databases)
    const { max, acquireTimeoutMillis } = options
    const pool =
      acquireTimeoutMillis === undefined ? { max } : { max, connectionTimeoutMillis: acquireTimeoutMillis }
    const source = memorySource('old')
    const cutover = createCutover({
      name: 'data-layer',
      old: { connectionString: old, ...pool },
      new: { connectionString: opened, ...pool },
      source,
      control: false,
      mirror: 'none',
    })
    // As with any pg.Pool: an idle connection that breaks is told to whoever has the pool.
    cutover.pool.on('error', () => undefined)
    try {
      await cutover.ready()
      return { cutover, source, session: await layer.openFacade(cutover, { old, new: opened }, options) }
    } catch (error) {
      await cutover.end()
      throw error
    }
  }

  async function observe<R extends pg.QueryResultRow>(
    side: Side,
    text: string,
    values: unknown[] = [],
  ): Promise<R[]> {
    return (await there(observers)[side].query<R>(text, values)).rows
  }

  // A server tells nobody what its backends do: asking is the only way.
  async function until<T>(look: () => Promise<T>, fits: (seen: T) => boolean): Promise<T> {
    const deadline = performance.now() + PATIENCE_MILLIS
    for (;;) {
      const seen = await look()
      if (fits(seen) || performance.now() > deadline) return seen
      await turn()
    }
  }

  const look = async (side: Side, text: string, values?: unknown[]): Promise<Row[]> =>
    (await there(observers)[side].query<Row>(named(text, values))).rows

  const atWork = (side: Side): Promise<Row[]> =>
    look(
      side,
      `select application_name, state, query from pg_stat_activity where ${APPLICATION} and state <> 'idle'`,
    )

  async function gone(side: Side, pids: readonly number[]): Promise<void> {
    const left = await until(
      () =>
        look(side, 'select application_name, state, query from pg_stat_activity where pid = any ($1)', [
          pids,
        ]),
      nothing,
    )
    expect(left, `backends on ${side} that should be gone`).toEqual([])
  }

  const nothing = (list: readonly unknown[]): boolean => list.length === 0

  async function nothingOut({ cutover } = there(facade)): Promise<void> {
    expect(await until(() => atWork('old'), nothing), 'at work on OLD').toEqual([])
    expect(await until(() => atWork('new'), nothing), 'at work on NEW').toEqual([])
    const inFlight = await until(
      () => Promise.resolve(cutover.status().inFlight),
      (count) => count.old + count.new === 0,
    )
    expect(inFlight, 'clients of the facade that are out').toEqual({ old: 0, new: 0 })
    expect(cutover.status().waiting, 'calls that wait').toBe(0)
  }

  beforeAll(async () => {
    databases = await freshDatabases()
    const observer = (connectionString: string): pg.Client =>
      new pg.Client({ connectionString, application_name: 'observer' })
    observers = { old: observer(databases.old), new: observer(databases.new) }
    await Promise.all([
      observers.old.connect(),
      observers.new.connect(),
      createDataLayerTables(databases.old, 'old'),
      createDataLayerTables(databases.new, 'new'),
    ])
    stock = await layer.openStock(databases.old, { max: MAX })
    facade = await over({ max: MAX })
  })

  afterEach(async () => {
    const toClose = opened
    opened = []
    for (const one of toClose) {
      // It may have been closed by the test, and what that is worth is one of the tests.
      await one.session?.close().catch(() => {})
      await one.cutover?.end()
    }
    await nothingOut()
    const { cutover } = there(facade)
    const { side, route } = cutover.status()
    // What one test left must not fail the next.
    if (side !== 'old') await cutover.advance('old')
    expect({ side, route }, 'where the test has left the facade').toEqual({ side: 'old', route: 'direct' })
  })

  afterAll(async () => {
    await stock?.close()
    await facade?.session.close()
    await facade?.cutover.end()
    if (observers) await Promise.all(Object.values(observers).map((client) => client.end()))
    await databases?.drop()
  })

  return {
    layer,
    stock: () => there(stock),
    facade: () => there(facade),
    async openStock(options) {
      const session = await layer.openStock(there(databases).old, options)
      opened.push({ session })
      return session
    },
    async openFacade(options) {
      const made = await over(options)
      opened.push(made)
      return made
    },
    observe,
    async seen<R extends pg.QueryResultRow>(side: Side, text: string, values?: unknown[]): Promise<R> {
      const [row] = await until(
        () => observe<R>(side, text, values),
        (rows) => rows.length > 0,
      )
      if (row === undefined) throw new Error(`still no row: ${text}`)
      return row
    },
    backends: async () =>
      (await observe<{ pid: number }>('old', `select pid from pg_stat_activity where ${APPLICATION}`)).map(
        ({ pid }) => pid,
      ),
    gone,
    async kill(side, pids) {
      await observe(side, 'select pg_terminate_backend(pid) from unnest($1::int[]) pid', [pids])
      await gone(side, pids)
      // The server strikes a backend off its list before it closes the socket; that is done when the process is no more.
      expect(await until(() => Promise.resolve(pids.filter(isProcess)), nothing)).toEqual([])
      // What the server has said to the application before is read in a turn of its own.
      for (let turns = 0; turns < 3; turns++) await turn()
    },
    nothingOut,
    lacks: (capability) => layer.lacks?.includes(capability) ?? false,
    unique: () => `note ${++notes}`,
  }
}

/** A process of another user is one, too. */
function isProcess(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Both ways to open the library, by the names that the tests have. */
export function places(fixture: Fixture): readonly (readonly [string, Place])[] {
  return [
    ['on its own pool', { kind: 'stock', session: fixture.stock, open: fixture.openStock }],
    [
      'on the facade',
      {
        kind: 'facade',
        session: () => fixture.facade().session,
        open: async (options) => (await fixture.openFacade(options)).session,
      },
    ],
  ]
}
