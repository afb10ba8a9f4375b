// What the tests of the routes share: two sides that say who they are, a gate that is driven by hand, and what each side holds.
import { afterAll, afterEach } from 'vitest'
import pg from 'pg'
import { CutoverEvents, type EventMap } from '../../../src/events.js'
import {
  createCutover,
  memorySource,
  type Cutover,
  type CutoverOptions,
  type Side,
} from '../../../src/index.js'
import { cutoverPool } from '../../../src/pool/cutover-pool.js'
import type { HoldLease } from '../../../src/pool/gate.js'
import { innerPool } from '../../../src/pool/pg-internals.js'
import { PoolCore } from '../../../src/pool/pool-core.js'
import type { PoolCoreOptions } from '../../../src/pool/pool-core-options.js'
import { KnownTexts } from '../../../src/reads/known-texts.js'
import { freshDatabases, named } from '../../support/databases.js'

export const NAME = 'orders'

const texts = new KnownTexts()
await texts.load()

const SCHEMA = (side: Side): string => `
  create table marker (side text not null);
  insert into marker values ('${side}');
  create table entry (id serial, key text not null, backend int not null default pg_backend_pid());
  create function refuse() returns trigger language plpgsql as $$
    begin
      raise exception 'pg-cutover fence: migration "%" epoch %', tg_argv[0], tg_argv[1] using errcode = '25006';
    end $$;`

/** The statement that every test writes with; it has no unique key, so that a second execution shows. */
export const WRITE = `insert into entry (key) values ($1) returning (select side from marker)`
export const WHERE_AM_I = 'select side from marker'

export interface Driven {
  readonly core: PoolCore
  readonly pool: pg.Pool
  readonly inner: Readonly<Record<Side, pg.Pool>>
  readonly events: CutoverEvents
}

export interface DrivenOptions extends Partial<
  Pick<PoolCoreOptions, 'name' | 'onFence' | 'texts' | 'heldReadsMax'>
> {
  readonly handedIn?: boolean
  /** On top of `config`, for one side only. */
  readonly old?: pg.PoolConfig
  readonly new?: pg.PoolConfig
  /** The phase is left unknown. */
  readonly unknown?: boolean
}

export interface Sides {
  readonly urls: Readonly<Record<Side, string>>
  /** A query on a connection that belongs to no pool. */
  observe<R extends pg.QueryResultRow>(side: Side, text: string, values?: unknown[]): Promise<R[]>
  /** The keys written on a side, in the order in which they were written. */
  keys(side: Side): Promise<string[]>
  /** Waits until the query gives a row whose only column is true. */
  until(side: Side, condition: string, values?: unknown[]): Promise<void>
  terminate(side: Side, processId: number): Promise<void>
  fence(side: Side, epoch: number, name?: string): Promise<void>
  unfence(side: Side): Promise<void>
  /** A core over two pools, direct on OLD. Ended after the test, with every client of it taken back. */
  drive(config?: pg.PoolConfig, options?: DrivenOptions): Driven
  /** A migration of four clients a side, on OLD and in direct mode. Ended after the test. */
  migrate(more?: Partial<CutoverOptions>): Cutover
}

/**
 * Two databases for one test file; the entries are emptied after each test. Most tests hold calls to see them wait, whatever
 * they ask: reads go on in a hold only if so many may.
 */
export async function sides(usual: Pick<PoolCoreOptions, 'heldReadsMax'> = {}): Promise<Sides> {
  const databases = await freshDatabases()
  const urls = { old: databases.old, new: databases.new }
  const observer = (side: Side): pg.Client =>
    new pg.Client({ connectionString: urls[side], application_name: 'observer' })
  const observers = { old: observer('old'), new: observer('new') }
  for (const side of ['old', 'new'] as const) {
    await observers[side].connect()
    await observers[side].query(SCHEMA(side))
  }
  let driven: Driven[] = []
  const migrated: Cutover[] = []

  const observe: Sides['observe'] = async <R extends pg.QueryResultRow>(
    side: Side,
    text: string,
    values: unknown[] = [],
  ) => (await observers[side].query<R>(text, values)).rows

  // The server tells nobody that a backend has gone or that a statement has begun: asking is the only way.
  const until: Sides['until'] = async (side, condition, values) => {
    for (;;) {
      const { rows } = await observers[side].query<{ ok: boolean | null }>(
        named(`select (${condition}) as ok`, values),
      )
      if (rows[0]?.ok === true) return
    }
  }

  afterEach(async () => {
    for (const cutover of migrated.splice(0)) await cutover.end()
    const made = driven
    driven = []
    for (const { core, inner } of made) {
      // Only after a failure is anything out; its work must not go on into the next test.
      for (const pool of Object.values(core.pools))
        for (const client of pool.leased()) pool.inner._remove(client)
      await core.end(true)
      for (const pool of Object.values(inner)) if (!pool.ending) await pool.end()
    }
    for (const side of ['old', 'new'] as const) {
      await observe(side, 'drop trigger if exists fence on entry')
      await observe(side, 'truncate entry restart identity')
    }
  })
  afterAll(async () => {
    await observers.old.end()
    await observers.new.end()
    await databases.drop()
  })

  return {
    urls,
    observe,
    until,
    async keys(side) {
      const rows = await observe<{ key: string }>(side, 'select key from entry order by id')
      return rows.map((row) => row.key)
    },
    async terminate(side, processId) {
      await observe(side, 'select pg_terminate_backend($1)', [processId])
      await until(side, 'not exists (select from pg_stat_activity where pid = $1)', [processId])
    },
    async fence(side, epoch, name = NAME) {
      await observe(
        side,
        `create trigger fence before insert or update or delete or truncate on entry
           for each statement execute function refuse('${name}', '${epoch}')`,
      )
    },
    async unfence(side) {
      await observe(side, 'drop trigger if exists fence on entry')
    },
    migrate(more = {}) {
      const cutover = createCutover({
        name: NAME,
        old: { connectionString: urls.old, max: 4 },
        new: { connectionString: urls.new, max: 4 },
        source: memorySource('old'),
        ...more,
      })
      migrated.push(cutover)
      return cutover
    },
    drive(config = {}, options = {}) {
      const make = (side: Side): pg.Pool =>
        new pg.Pool({ connectionString: urls[side], max: 4, ...config, ...options[side] })
      const inner = { old: make('old'), new: make('new') }
      const events = new CutoverEvents()
      const pools = {
        old: { inner: innerPool(inner.old), handedIn: options.handedIn ?? false },
        new: { inner: innerPool(inner.new), handedIn: options.handedIn ?? false },
      }
      const { name = NAME, onFence = () => undefined } = options
      const heldReadsMax = options.heldReadsMax ?? usual.heldReadsMax ?? 0
      const known = options.texts ?? texts
      const core = new PoolCore({ name, pools, events, texts: known, heldReadsMax, onFence })
      if (options.unknown !== true) core.release('old')
      const one: Driven = { core, pool: cutoverPool(core), inner, events }
      driven.push(one)
      return one
    },
  }
}

/** A lease that is far longer than any test, unless told otherwise. */
export const lease = (
  millis = 60_000,
  ended: HoldLease['ended'] = () => Promise.reject(new Error('the lease of the test has ended')),
  reads: HoldLease['reads'] = 'flow',
): HoldLease => ({ millis, reads, ended })

/** Arms, holds, drains and flips by hand, as a coordinator does when there is nothing to catch up with. */
export async function flip(core: PoolCore, to: Side, drainMillis = 5_000): Promise<void> {
  await core.arm()
  core.hold(lease())
  await core.drain(drainMillis)
  core.release(to)
}

/** Resolves when the gate comes to rest in the direct route; at once if it is there. */
export function atRest({ core, events }: Driven): Promise<void> {
  return routeOf({ core, events }, 'direct')
}

export async function routeOf(
  { core, events }: Pick<Driven, 'core' | 'events'>,
  kind: PoolCore['state']['kind'],
): Promise<void> {
  if (core.state.kind === kind) return
  await eventWhere(events, 'route', ({ route }) => route === kind)
}

/** The next event of a migration for which this is true. */
export function eventWhere<K extends keyof EventMap>(
  events: CutoverEvents | Cutover,
  name: K,
  matches: (event: EventMap[K][0]) => boolean,
): Promise<EventMap[K][0]> {
  return new Promise((resolve) => {
    const listener = (event: EventMap[K][0]): void => {
      if (!matches(event)) return
      ;(events as CutoverEvents).off(name, listener as never)
      resolve(event)
    }
    ;(events as CutoverEvents).on(name, listener as never)
  })
}

/** The side that answers a `pool.query` now. */
export async function sideOf(queryable: {
  query(text: string): Promise<pg.QueryResult<{ side: Side }>>
}): Promise<Side | undefined> {
  return (await queryable.query(WHERE_AM_I)).rows[0]?.side
}

export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** Whether a promise has been settled when everything that is due now has run. */
export async function stateOf(promise: Promise<unknown>): Promise<'pending' | 'fulfilled' | 'rejected'> {
  const settled = promise.then(
    () => 'fulfilled' as const,
    () => 'rejected' as const,
  )
  await turn()
  return Promise.race([settled, turn().then(() => 'pending' as const)])
}

/** The reason a promise is rejected with; fails if it is fulfilled. */
export async function reasonOf(promise: Promise<unknown>): Promise<
  Error & {
    readonly code?: string
    readonly severity?: string
    readonly details?: Record<string, unknown>
  }
> {
  try {
    await promise
  } catch (error) {
    if (error instanceof Error) return error
    throw new TypeError('rejected with something that is no Error', { cause: error })
  }
  throw new Error('fulfilled instead of rejected')
}
