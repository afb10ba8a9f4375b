// The contract's fixture over a whole migration of its own, for pools that are made out of one.
import type pg from 'pg'
import { afterAll } from 'vitest'
import type { Cutover } from '../../../src/index.js'
import { freshDatabases } from '../../support/databases.js'
import { directCutover } from '../../support/direct-cutover.js'
import { createFixture, type Fixture, type Place } from './fixture.js'
import { createTables } from './tables.js'

/** One migration for each pool. `end` is for a pool that does not end with it. */
export async function fixtureOverMigration(
  place: Pick<Place, 'subject' | 'behavesLike'>,
  open: (cutover: Cutover, config: pg.PoolConfig) => Promise<pg.Pool>,
  end: (pool: pg.Pool) => Promise<void> = () => Promise.resolve(),
): Promise<Fixture> {
  const databases = await freshDatabases()
  await createTables(databases.old, 'old')
  await createTables(databases.new, 'new')
  afterAll(() => databases.drop())
  return createFixture(
    async (config) => {
      const cutover = await directCutover({ old: config, new: databases.new }, 'contract')
      const pool = await open(cutover, config)
      return { pool, dispose: () => end(pool).then(() => cutover.end()) }
    },
    { ...place, oldUrl: databases.old, newUrl: databases.new },
  )
}
