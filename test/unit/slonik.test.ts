// What slonikDriver refuses.
import * as slonik from 'slonik'
import { afterAll, describe, expect, it } from 'vitest'
import { slonikDriver } from '../../adapters/slonik.js'
import { cutoverOfNowhere, NOWHERE, refusal } from '../support/refusals.js'

const connectionString = NOWHERE.old
const cutover = cutoverOfNowhere()
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
    expect(() => make(...given)).toThrow(refusal(`slonikDriver: ${complaint}; expected `))
  })
})
