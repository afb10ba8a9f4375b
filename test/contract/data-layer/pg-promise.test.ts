// Runs the data layer contract on pg-promise, and looks at which copy of pg its connections are of.
import pg from 'pg'
import pgPromise from 'pg-promise'
import { afterAll, describe, expect, it } from 'vitest'
import { openPgPromise, shutDown } from '../../../examples/pg-promise.js'
import { createCutover, memorySource } from '../../../src/index.js'
import { freshDatabases } from '../../support/databases.js'
import { dataLayerContract } from '../data-layer.js'
import { pgPromiseLayer } from './pg-promise.js'
import { createDataLayerTables } from './tables.js'

dataLayerContract(pgPromiseLayer)

describe('its connections', async () => {
  const databases = await freshDatabases()
  afterAll(() => databases.drop())

  it("are of the application's own pg, in its pool and outside of it, on the side in use", async () => {
    await createDataLayerTables(databases.old, 'old')
    await createDataLayerTables(databases.new, 'new')
    const cutover = createCutover({
      name: 'copies',
      old: { connectionString: databases.old, max: 2 },
      new: { connectionString: databases.new, max: 2 },
      source: memorySource('old'),
      control: false,
      mirror: 'none',
    })
    const db = openPgPromise(cutover, { noWarnings: true })
    expect(pgPromise().pg.Client).not.toBe(pg.Client)
    for (const phase of ['old', 'new'] as const) {
      await cutover.advance(phase)
      for (const direct of [false, true]) {
        const connection = await db.connect({ direct })
        expect(connection.client).toBeInstanceOf(pg.Client)
        expect(await connection.any('select side from marker')).toEqual([{ side: phase }])
        await connection.done(false)
      }
    }
    await shutDown(db, cutover)
  })
})
