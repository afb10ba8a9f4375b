// What every case of the contract gets: pools that are closed after it, an outside observer, and the check that nothing is left.
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import pg from 'pg'
import type { Difference, Outcome } from './differences.js'
import { differences } from './differences.js'
import { named } from '../../support/databases.js'

export type PoolFactory = (config: pg.PoolConfig) => Promise<{ pool: pg.Pool; dispose(): Promise<void> }>

/** Where the pools under test connect to, and what they are allowed to do differently. */
export interface Place {
  readonly subject: string
  readonly oldUrl: string
  readonly newUrl: string
  readonly behavesLike: 'pg.Pool' | 'CutoverPool'
}

export interface Fixture {
  readonly place: Place
  /** The connection of OLD in single fields, so that the password is not inside a URL. */
  config(extra?: pg.PoolConfig): pg.PoolConfig
  /** A pool that is ended after the test. */
  open(extra?: pg.PoolConfig): Promise<pg.Pool>
  /** A query on a connection that belongs to no pool. */
  observe<R extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<R[]>
  /** Kills a backend and returns when the server has let go of it. */
  terminate(processID: number): Promise<void>
  /** Returns when the server has let go of every connection of the pools. */
  allGone(): Promise<void>
  /** How the pool under test settles a point where ours is meant to differ. */
  outcome(difference: Difference): Outcome
}

const GONE_DEADLINE_MILLIS = 5000

const OURS = `datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`

export function createFixture(make: PoolFactory, place: Place): Fixture {
  const url = new URL(place.oldUrl)
  const base = {
    host: url.hostname,
    port: Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1),
  }
  const observer = new pg.Client({ connectionString: place.oldUrl, application_name: 'observer' })
  let opened: { pool: pg.Pool; dispose(): Promise<void> }[] = []

  async function observe<R extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<R[]> {
    return (await observer.query<R>(text, values)).rows
  }

  // The server tells nobody that a backend has gone: asking is the only way.
  async function untilNone(condition: string, values: unknown[]): Promise<void> {
    const deadline = Date.now() + GONE_DEADLINE_MILLIS
    for (;;) {
      const { rows: left } = await observer.query(
        named(
          `select pid, application_name, state, query from pg_stat_activity where ${OURS} and ${condition}`,
          values,
        ),
      )
      if (left.length === 0) return
      if (Date.now() > deadline) expect(left, 'connections that should be gone').toEqual([])
    }
  }

  beforeAll(() => observer.connect())
  afterAll(() => observer.end())

  afterEach(async () => {
    const pools = opened
    opened = []
    try {
      for (const { pool, dispose } of pools) await withinDeadline(dispose(), pool)
      await untilNone('true', [])
    } catch (error) {
      // What one test left must not fail the next.
      await observe(`select pg_terminate_backend(pid) from pg_stat_activity where ${OURS}`)
      throw error
    }
  })

  return {
    place,
    config: (extra = {}) => ({ ...base, ...extra }),
    async open(extra = {}) {
      const made = await make({ ...base, ...extra })
      opened.push(made)
      return made.pool
    },
    observe,
    async terminate(processID) {
      await observe('select pg_terminate_backend($1)', [processID])
      await untilNone('pid = $1', [processID])
    },
    allGone: () => untilNone('true', []),
    outcome: (difference) => differences[difference][place.behavesLike],
  }
}

// A pool whose client was never released would make the hook time out without saying why.
async function withinDeadline(disposed: Promise<void>, pool: pg.Pool): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const out = pool.totalCount - pool.idleCount
      reject(new Error(`the test left a pool that does not end: ${out} clients out`))
    }, GONE_DEADLINE_MILLIS)
  })
  try {
    await Promise.race([disposed, late])
  } finally {
    clearTimeout(timer)
  }
}
