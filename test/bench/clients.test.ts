// The benchmark of the libraries asks each of them on both pools and gives what is promised.
import { afterAll, expect, it } from 'vitest'
import { measureClients } from '../../bench/clients.js'
import { freshDatabases } from '../support/databases.js'

const databases = await freshDatabases()
afterAll(() => databases.drop())

const ON_FACADE = ['pg', 'Knex', 'Drizzle', 'Kysely', 'Prisma', 'Prisma, pinned']
const BESIDES = [
  'Prisma with an extension that does nothing, no facade',
  'Prisma with its read-replicas extension, no facade',
]

it('puts every library on the facade against its stock pool, and its stock pool against itself', async () => {
  const lines: string[] = []
  const sizes = { quads: 1, alone: 1, together: 3 }
  const { parts } = await measureClients(
    databases,
    sizes,
    (line) => void lines.push(line),
    () => {},
  )
  expect(parts).toHaveLength(3)
  // A title with the head of its table, and a row for each library.
  expect(lines).toHaveLength(3 * (1 + ON_FACADE.length + BESIDES.length))
  const figures = { unit: '×', measured: expect.any(Number) as number, same: expect.any(Number) as number }
  for (const [nr, { outcomes }] of parts.entries()) {
    const limit = nr < 2 ? { most: 1.02 } : {}
    expect(outcomes).toEqual([
      ...ON_FACADE.map((what) => expect.objectContaining({ what, ...figures, ...limit }) as unknown),
      ...BESIDES.map((what) => expect.objectContaining({ what, ...figures }) as unknown),
    ])
    expect(outcomes.filter(({ most }) => most !== undefined)).toHaveLength(nr < 2 ? ON_FACADE.length : 0)
    for (const { what, measured, same } of outcomes)
      expect({ what, finite: Number.isFinite(measured) && Number.isFinite(same) }).toEqual({
        what,
        finite: true,
      })
  }
})
