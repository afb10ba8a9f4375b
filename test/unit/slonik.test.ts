// What slonikDriver refuses.
import * as slonik from 'slonik'
import { afterAll, describe, expect, it } from 'vitest'
import { slonikDriver } from '../../adapters/slonik.js'
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

describe('slonikDriver', () => {
  const make = slonikDriver as unknown as (...given: readonly unknown[]) => unknown
  const { createDriverFactory: _, ...older } = slonik

  it.each<[string, string, readonly unknown[]]>([
    ['a config for the cutover', 'the cutover is of type object', [slonik, { connectionString }]],
    ['a pool for the cutover', 'the cutover is of type object', [slonik, cutover.pool]],
    ['no slonik', 'slonik is undefined', [undefined, cutover]],
    ['createPool alone', 'slonik is of type function', [slonik.createPool, cutover]],
    ['a slonik without drivers', 'slonik is an object without createDriverFactory', [older, cutover]],
    ['an object for QueryStream', 'QueryStream is of type object', [slonik, cutover, {}]],
  ])('refuses %s', (_name, complaint, given) => {
    expect(() => make(...given)).toThrow(
      expect.objectContaining({
        code: 'ERR_OPTION',
        message: expect.stringMatching(new RegExp(`^slonikDriver: ${complaint}; expected `)) as string,
      }),
    )
  })
})
