// Two databases for the tests of Prisma whose rows say where they are from, and migrations over them.
import { afterAll, afterEach } from 'vitest'
import pg from 'pg'
import { createCutover, memorySource, type Cutover, type CutoverOptions } from '../../../src/index.js'
import type { Side } from '../../../src/phase/phases.js'
import { freshDatabases } from '../../support/databases.js'
import { createDataLayerTables } from '../../contract/data-layer/tables.js'

export interface PrismaSides {
  readonly urls: Readonly<Record<Side, string>>
  /** A query on a connection that belongs to no pool. */
  observe<R extends pg.QueryResultRow>(side: Side, text: string, values?: unknown[]): Promise<R[]>
  /** A migration at OLD, ended after the test. */
  migrate(pool?: pg.PoolConfig, more?: Partial<CutoverOptions>): Promise<Cutover>
}

/** Authors and posts are named after their side: a post that has another side's author was torn off. */
export async function prismaSides(): Promise<PrismaSides> {
  const databases = await freshDatabases()
  const urls = { old: databases.old, new: databases.new }
  const observer = (side: Side): pg.Client =>
    new pg.Client({ connectionString: urls[side], application_name: 'observer' })
  const observers = { old: observer('old'), new: observer('new') }
  for (const side of ['old', 'new'] as const) {
    await createDataLayerTables(urls[side], side)
    await observers[side].connect()
    await observers[side].query(`update author set name = '${side}'; update post set title = '${side}'`)
  }
  let cutovers: Cutover[] = []

  afterEach(async () => {
    const made = cutovers
    cutovers = []
    for (const cutover of made) await cutover.end()
  })

  afterAll(async () => {
    for (const client of Object.values(observers)) await client.end()
    await databases.drop()
  })

  return {
    urls,
    observe: async <R extends pg.QueryResultRow>(side: Side, text: string, values: unknown[] = []) =>
      (await observers[side].query<R>(text, values)).rows,
    async migrate(pool = {}, more = {}) {
      const cutover = createCutover({
        name: 'prisma',
        old: { connectionString: urls.old, max: 4, ...pool },
        new: { connectionString: urls.new, max: 4, ...pool },
        source: memorySource('old'),
        ...more,
      })
      cutovers.push(cutover)
      await cutover.ready()
      return cutover
    },
  }
}
