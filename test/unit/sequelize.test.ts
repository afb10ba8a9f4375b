// What sequelizeModule refuses, and what it gives.
import { createRequire } from 'node:module'
import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import { sequelizeModule } from '../../adapters/sequelize.js'
import { createCutover, memorySource } from '../../src/index.js'

const connectionString = 'postgres://u@127.0.0.1:1/a'
const cutover = createCutover({
  name: 'refusals',
  old: { connectionString },
  new: { connectionString: 'postgres://u@127.0.0.1:2/a' },
  source: memorySource('old'),
  control: false,
  mirror: 'none',
})
afterAll(() => cutover.end())

describe('sequelizeModule', () => {
  const make = sequelizeModule as (given: unknown, cutover: unknown) => unknown
  // pg-promise brings a copy of its own.
  const otherPg: unknown = createRequire(createRequire(import.meta.url).resolve('pg-promise'))('pg')

  it.each<[string, string, unknown, unknown]>([
    ['a config for the cutover', 'the cutover is of type object', pg, { connectionString }],
    ['a pool for the cutover', 'the cutover is of type object', pg, cutover.pool],
    ['no pg', 'pg is undefined', undefined, cutover],
    ['a config for pg', 'pg is an object without Client and types', { connectionString }, cutover],
    ['another copy of pg', 'pg is another copy', otherPg, cutover],
  ])('refuses %s', (_, complaint, given, over) => {
    expect(() => make(given, over)).toThrow(
      expect.objectContaining({
        code: 'ERR_OPTION',
        message: expect.stringMatching(new RegExp(`^sequelizeModule: .*${complaint}.*; expected `)) as string,
      }),
    )
  })

  it('gives the module with another Client, and leaves the one it was given', () => {
    const { Client } = pg
    const module = sequelizeModule(pg, cutover)
    expect(module.types).toBe(pg.types)
    expect(new module.Client()).toBeInstanceOf(cutover.Client)
    expect(pg.Client).toBe(Client)
  })
})
