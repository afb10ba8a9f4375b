// Calls that come before any phase is known wait for it, however many they are.
import { describe, expect, it } from 'vitest'
import { stubConfig } from '../../bench/stub-client.js'
import { createCutover, memorySource } from '../../src/index.js'

describe('calls before the phase is known', () => {
  it.each([1, 4, 5, 100])('%i of them over 4 connections are all answered', async (calls) => {
    const source = memorySource()
    const cutover = createCutover({ name: 'orders', old: stubConfig(4), new: stubConfig(4), source })
    const answers = Array.from({ length: calls }, () => cutover.pool.query('select 1'))
    expect(cutover.status()).toMatchObject({ phase: undefined, waiting: calls })
    source.set('old')
    await Promise.all(answers)
    expect(cutover.status()).toMatchObject({ phase: 'old', waiting: 0, route: 'direct' })
    await cutover.end()
  })
})
