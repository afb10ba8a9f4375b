// What sequelizeModule refuses, and what it gives.
import { createRequire } from 'node:module'
import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import { sequelizeModule } from '../../adapters/sequelize.js'
import { cutoverOfNowhere, NOWHERE, refusal } from '../support/refusals.js'

const connectionString = NOWHERE.old
const cutover = cutoverOfNowhere()
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
    expect(() => make(given, over)).toThrow(refusal(`sequelizeModule: .*${complaint}.*; expected `))
  })

  it('gives the module with another Client, and leaves the one it was given', () => {
    const { Client } = pg
    const module = sequelizeModule(pg, cutover)
    expect(module.types).toBe(pg.types)
    expect(new module.Client()).toBeInstanceOf(cutover.Client)
    expect(pg.Client).toBe(Client)
  })
})
