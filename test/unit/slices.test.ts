// Shows that a long list leaves the turns between its slices to everybody else, and that catalogs come together from parts.
import { expect, it } from 'vitest'
import { catalogRowsOf } from '../../src/reads/catalog-rows.js'
import { Slices } from '../../src/reads/slices.js'

it('lets others have turns in between, and goes through all in order', async () => {
  let turns = 0
  let timer = setImmediate(function count() {
    turns++
    timer = setImmediate(count)
  })
  const seen: number[] = []
  const list = Array.from({ length: 30 }, (_, nr) => nr)
  await new Slices().each(list, (nr) => {
    const end = performance.now() + 1
    while (performance.now() < end);
    seen.push(nr)
  })
  clearImmediate(timer)
  expect(seen).toEqual(list)
  expect(turns).toBeGreaterThanOrEqual(10)
})

it('puts lists together from their parts, and leaves those out that have none', async () => {
  expect(
    await catalogRowsOf([
      { list: 'fingerprint', part: '"a"' },
      { list: 'types', part: '[["1"]]' },
      { list: 'unseen', part: null },
      { list: 'types', part: '[["2"],["3"]]' },
    ]),
  ).toEqual({ fingerprint: 'a', types: [['1'], ['2'], ['3']], unseen: null })
})
