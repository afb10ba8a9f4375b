// The data layer contract: what a service may expect of its library, on the library's own pool and on the facade alike.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { DataLayer } from './data-layer/subject.js'
import { acquiringContract } from './data-layer/parts/acquiring.js'
import { cancellingContract } from './data-layer/parts/cancelling.js'
import { closingContract } from './data-layer/parts/closing.js'
import { cutoverContract } from './data-layer/parts/cutover.js'
import { errorsContract } from './data-layer/parts/errors.js'
import { createFixture, places } from './data-layer/parts/fixture.js'
import { holdContract } from './data-layer/parts/hold.js'
import { killedContract } from './data-layer/parts/killed.js'
import { loadContract } from './data-layer/parts/load.js'
import { migrationsContract } from './data-layer/parts/migrations.js'
import { queriesContract } from './data-layer/parts/queries.js'
import { streamsContract } from './data-layer/parts/streams.js'
import { transactionsContract } from './data-layer/parts/transactions.js'
import { valuesContract } from './data-layer/parts/values.js'
import { layerCells, pagePath, tableOf } from './data-layer/page.js'

const onBoth = [
  queriesContract,
  valuesContract,
  transactionsContract,
  streamsContract,
  errorsContract,
  cancellingContract,
  acquiringContract,
  killedContract,
  migrationsContract,
  closingContract,
]
const onFacade = [holdContract, cutoverContract, loadContract]

/** One library, and one pair of databases for all of it: a file has one call of this. */
export function dataLayerContract(layer: DataLayer): void {
  const fixture = createFixture(layer)
  for (const [name, place] of places(fixture))
    describe(name, () => {
      for (const contract of onBoth) contract(fixture, place)
      if (place.kind === 'facade') for (const contract of onFacade) contract(fixture)
    })

  it('is described in docs/clients.md as its subject says: else run npm run docs:clients', () => {
    const rows = tableOf(readFileSync(pagePath, 'utf8'), 'clients').map((cells) => cells.slice(0, -1))
    expect(rows).toContainEqual(layerCells(layer))
  })
}
