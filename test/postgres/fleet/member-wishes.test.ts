// A fleet that follows one flag: one process moves, what becomes of it is the answer for all, and its death is made good.
import { afterAll, afterEach, expect, it } from 'vitest'
import { tryLock } from '../../../src/coordinator/coordinator-lock.js'
import type { EventMap } from '../../../src/events.js'
import type { Cutover } from '../../../src/index.js'
import { migrationOver } from '../protocol/fixture.js'
import { fleet, sideOf, until } from './member-fixture.js'

const f = await fleet()
afterEach(() => f.endAll())
afterAll(() => f.drop())

const SIZE = 5

/** What becomes of the wish that the test is about. */
const outcomeOf = (cutover: Cutover): Promise<EventMap['wish'][0]> =>
  new Promise((resolve) => {
    cutover.on('wish', (wish) => wish.value === '"new"' && resolve(wish))
  })

it('makes one cutover of one flip', { timeout: 30_000 }, async () => {
  const played = await f.migration()
  const processes = Array.from({ length: SIZE }, () => f.process(played.name, { autoAdvance: true }))
  await Promise.all(processes.map(({ cutover }) => cutover.ready()))
  const attempts: string[] = []
  for (const { cutover } of processes)
    cutover.on('cutover', ({ outcome, reason }) => attempts.push(reason ?? outcome))
  const followed = processes.map(({ cutover }) => outcomeOf(cutover))
  for (const { source } of processes) source.set('new')
  for (const wish of await Promise.all(followed)) expect(wish).toMatchObject({ outcome: 'followed' })
  expect(attempts).toEqual(['done'])
  for (const { cutover } of processes) {
    expect(cutover.status()).toMatchObject({ phase: 'new', epoch: 1, source: { whyNot: undefined } })
    expect(await sideOf(cutover)).toBe('new')
  }
  expect(await played.read('new')).toMatchObject({ status: 'writer', epoch: 1 })
  await until(async () => ((await played.roster('new')).length === SIZE ? true : undefined))
})

it('tells all why the one that has tried could not move', { timeout: 30_000 }, async () => {
  const played = await f.migration()
  const processes = Array.from({ length: SIZE }, () =>
    f.process(played.name, { autoAdvance: true, tables: ['public.missing'] }),
  )
  await Promise.all(processes.map(({ cutover }) => cutover.ready()))
  const attempts: string[] = []
  for (const { cutover } of processes) cutover.on('cutover', ({ outcome }) => attempts.push(outcome))
  const refused = processes.map(({ cutover }) => outcomeOf(cutover))
  for (const { source } of processes) source.set('new')
  for (const wish of await Promise.all(refused))
    expect(wish).toMatchObject({ outcome: 'refused', reason: expect.stringContaining('public.missing') })
  expect(attempts).toEqual(['aborted'])
  for (const { cutover } of processes)
    expect(cutover.status()).toMatchObject({
      phase: 'old',
      source: { whyNot: expect.stringContaining('public.missing') },
    })
})

it('goes on where the process that moved has died without an answer', { timeout: 30_000 }, async () => {
  const played = await f.migration()
  const other = migrationOver(played.name, f.databases)
  const dying = await tryLock(other, 'old')
  const processes = Array.from({ length: 2 }, () => f.process(played.name, { autoAdvance: true }))
  await Promise.all(processes.map(({ cutover }) => cutover.ready()))
  const followed = processes.map(({ cutover }) => outcomeOf(cutover))
  for (const { source } of processes) source.set('new')
  expect(processes.map(({ cutover }) => cutover.phase)).toEqual(['old', 'old'])
  await dying?.release()
  await Promise.all(followed)
  expect(processes.map(({ cutover }) => cutover.phase)).toEqual(['new', 'new'])
  await Promise.all([other.control.old.close(), other.control.new.close()])
})
