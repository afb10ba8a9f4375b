// The benchmark of the libraries asks each of them on both pools and gives the figures that are promised.
import { afterAll, expect, it } from 'vitest'
import { measureClients } from '../../bench/clients.js'
import { freshDatabases } from '../support/databases.js'

const databases = await freshDatabases()
afterAll(() => databases.drop())

it('puts every library on the facade against its stock pool, and its stock pool against itself', async () => {
  const lines: string[] = []
  const sizes = { quads: 1, alone: 1, together: 3 }
  const figures = await measureClients(databases, sizes, (line) => void lines.push(line))
  // The head of a table and a row for each library.
  expect(lines).toHaveLength(1 + Object.keys(figures).length)
  const number = expect.any(Number) as number
  const one = {
    ratio: number,
    middleHalf: [number, number],
    sameRatio: number,
    cpuRatio: number,
    cpuMiddleHalf: [number, number],
    cpuSameRatio: number,
    stockMicros: number,
    stockCpuMicros: number,
  }
  const both = { callers1: one, callers64: one }
  expect(figures).toEqual({
    pg: both,
    Knex: both,
    Drizzle: both,
    Kysely: both,
    Prisma: both,
    'Prisma, pinned': both,
    'Prisma with read-replicas, no facade': both,
  })
})
