// What postgresOver refuses, and that each refusal names what was got and what was expected.
import postgres from 'postgres'
import { afterAll, describe, expect, it } from 'vitest'
import { postgresOver } from '../../adapters/postgres-js.js'
import type { Side } from '../../src/index.js'
import { cutoverOfNowhere, NOWHERE, refusal } from '../support/refusals.js'

const cutover = cutoverOfNowhere()
afterAll(() => cutover.end())

const nothing = (): undefined => undefined
const sql = postgres(NOWHERE.old)
const like = (methods: readonly string[]): unknown =>
  Object.assign(() => undefined, Object.fromEntries(methods.map((name) => [name, () => ({})])), {
    options: { shared: { typeArrayMap: {} } },
  })
const version2 = (): unknown => like(['unsafe', 'begin', 'end'])
const later = (): unknown => like(['unsafe', 'file', 'array', 'begin', 'reserve', 'end'])

describe('postgresOver', () => {
  const over = postgresOver as (cutover: unknown, open: unknown) => unknown

  it.each<[string, string, unknown, unknown]>([
    ['a config for the cutover', 'the cutover is of type object', { connectionString: NOWHERE.old }, nothing],
    ['a pool for the cutover', 'the cutover is of type object', cutover.pool, nothing],
    ['postgres for the cutover', 'the cutover is of type function', postgres, cutover],
    ['a URL', 'open is a text that may hold a password', cutover, NOWHERE.old],
    ['postgres itself', 'open is postgres itself, or an sql of it', cutover, postgres],
    ['an sql', 'open is postgres itself, or an sql of it', cutover, sql],
    ['nothing made', 'open\\(side\\) gave undefined', cutover, nothing],
    ['a pg.Pool made', 'open\\(side\\) gave of type object', cutover, () => cutover.pool],
    ['version 2', 'gave a function without file', cutover, version2],
    ['a version that is not known', 'made in a way that is not known', cutover, later],
    ['one database for both', 'gave the same database', cutover, () => postgres(NOWHERE.old)],
    ['one sql for both', 'gave the same sql', cutover, () => sql],
  ])('refuses %s', (_, complaint, given, open) => {
    expect(() => over(given, open)).toThrow(refusal(`postgresOver: .*${complaint}.*; expected `))
  })

  it('makes one sql for each side and connects to neither', async () => {
    const made: Side[] = []
    const both = postgresOver(cutover, (side) => {
      made.push(side)
      return postgres(NOWHERE[side])
    })
    expect(made).toEqual(['old', 'new'])
    expect(both.options.database).toBe('a')
    await both.end()
  })
})
