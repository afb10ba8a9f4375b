// Pins under load, with a change of writer always under way, and what they cost the process when it is over.
import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type pg from 'pg'
import { expect, it } from 'vitest'
import { createCutover, memorySource, type Cutover, type Side } from '../../../src/index.js'
import { seededRandom } from '../../support/seeded-random.js'
import { compiled } from '../../support/compiled.js'
import { eventWhere, sideOf, sides } from './fixture.js'

const { urls } = await sides()

const CALLERS = 64
const FLIPS = 6

type Call = (cutover: Cutover) => Promise<(Side | undefined)[]>

const byClient = async ({ pool }: Cutover): Promise<(Side | undefined)[]> => {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const sides = [await sideOf(client), await sideOf(client)]
    await client.query('commit')
    return sides
  } finally {
    client.release()
  }
}

const byCallback = ({ pool }: Cutover): Promise<(Side | undefined)[]> =>
  new Promise((resolve, reject) => {
    pool.query(
      'select side from marker',
      (error: Error | undefined, result: pg.QueryResult<{ side: Side }>) =>
        error ? reject(error) : resolve([result.rows[0]?.side]),
    )
  })

const CALLS: readonly Call[] = [
  async ({ pool }) => [await sideOf(pool)],
  byCallback,
  byClient,
  ({ pool }) => Promise.all([sideOf(pool), sideOf(pool), sideOf(pool)]),
  async (cutover) => [await cutover.pin((side) => side), ...(await cutover.pin(() => byClient(cutover)))],
  // Waits for something that is no database, behind a timer that shows no descent.
  async ({ pool }) => {
    await sleep(1)
    return [await sideOf(pool)]
  },
]

/** Repeats pins of two to four calls until told to stop; gives what any of them saw beside the side that it was told. */
async function caller(cutover: Cutover, random: () => number, isOver: () => boolean) {
  const torn: unknown[] = []
  let pins = 0
  while (!isOver()) {
    const calls = Array.from({ length: 2 + Math.floor(random() * 3) }, () =>
      Math.floor(random() * CALLS.length),
    )
    const seen = await cutover.pin(async (told) => {
      const sides: (Side | undefined)[] = [told]
      for (const call of calls) sides.push(...((await CALLS[call]?.(cutover)) ?? []))
      return sides
    })
    pins++
    if (new Set(seen).size !== 1) torn.push({ calls, seen })
    // Work that belongs to no pin, so that the line is never of one kind.
    if (random() < 0.3) await sideOf(cutover.pool)
  }
  return { torn, pins }
}

it('no pin of 64 callers sees two sides through flips that never stop, and none keeps a flip from ending', async () => {
  const seed = Date.now() % 1e6
  const random = seededRandom(seed)
  const source = memorySource('old')
  const cutover = createCutover({
    name: 'orders',
    old: { connectionString: urls.old, max: 10 },
    new: { connectionString: urls.new, max: 10 },
    source,
  })
  await cutover.ready()
  let over = false
  const callers = Array.from({ length: CALLERS }, () => caller(cutover, random, () => over))
  const outcomes: unknown[] = []
  try {
    for (let flip = 0; flip < FLIPS; flip++) {
      const ended = eventWhere(cutover, 'cutover', () => true)
      source.set(flip % 2 === 0 ? 'new' : 'old')
      const { outcome, reason } = await ended
      outcomes.push(reason ?? outcome)
    }
  } finally {
    over = true
  }
  const results = await Promise.all(callers)
  const { inFlight, route } = cutover.status()
  await cutover.end()
  expect(outcomes, `seed ${seed}`).toEqual(Array.from({ length: FLIPS }, () => 'done'))
  expect(
    results.flatMap(({ torn }) => torn),
    `seed ${seed}`,
  ).toEqual([])
  expect(
    results.every(({ pins }) => pins >= FLIPS / 2),
    `seed ${seed}`,
  ).toBe(true)
  expect({ inFlight, route }).toEqual({ inFlight: { old: 0, new: 0 }, route: 'direct' })
})

it('promises are tracked, which makes each of them dearer, while a cutover needs it and at no other time', async () => {
  const script = fileURLToPath(new URL('promise-tracking.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [compiled(script), urls.old, urls.new])
  expect(JSON.parse(stdout)).toEqual({
    before: false,
    atRest: false,
    during: true,
    after: false,
    duringAgain: true,
    ended: false,
  })
})
