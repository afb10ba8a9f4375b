// The parts of the benchmark of the facade that its figures rest on.
import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import { interleaved, type Contender, type Slice } from '../../bench/facade/interleaved.js'
import { CALLS, sliceOf, WORKS } from '../../bench/facade/work.js'
import { freshDatabase, runOn } from '../support/databases.js'

describe('slices within each other', () => {
  const slice = (micros: number): Slice => ({ cpuMicros: micros, waited: [micros / 1_000, 9] })

  it('see what the facade adds, and nothing between the raw pools, through a drift', async () => {
    let drift = 1_000
    const own: Record<Contender, number> = { raw: 0, again: 0, facade: 100 }
    const { cpu, p50, cpuMicros, millis } = await interleaved(9, (contender) =>
      Promise.resolve(slice((drift += 10) + own[contender])),
    )
    expect(cpu.facade).toHaveLength(9)
    // Their own costs grow from some 1,100 to some 1,600 meanwhile.
    for (const [round, ratio] of cpu.facade.entries()) {
      expect(ratio).toBeCloseTo(1 + 100 / (1_095 + 60 * round), 3)
      expect(cpu.same[round]).toBeCloseTo(1, 10)
    }
    expect(p50.same).toHaveLength(9)
    expect(cpuMicros).toBeCloseTo(1_335, 6)
    expect(millis.facade.p99).toBe(9)
  })

  it('give each contender every place as often', async () => {
    const asked: Contender[] = []
    await interleaved(9, (contender) => {
      asked.push(contender)
      return Promise.resolve(slice(1))
    })
    const rounds = asked.slice(6)
    const first = rounds.filter((_, nr) => nr % 6 === 0)
    for (const contender of ['raw', 'again', 'facade'] as const)
      expect(first.filter((one) => one === contender)).toHaveLength(3)
  })
})

describe('what callers do', async () => {
  const database = await freshDatabase('old')
  await runOn(database.url, [CALLS])
  const pool = new pg.Pool({ connectionString: database.url, max: 2 })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })
  const rows = async (): Promise<number> =>
    (await pool.query<{ count: number }>('select count(*)::int as count from call')).rows[0]?.count ?? -1

  it.each(Object.entries(WORKS))('%s: is counted as often as it was done', async (kind, work) => {
    const before = await rows()
    const { cpuMicros, waited } = await sliceOf(pool, work, 3, 0)
    expect(waited.length).toBeGreaterThanOrEqual(3)
    expect(cpuMicros).toBeGreaterThan(0)
    const writes = kind === 'insert' || kind === 'transaction'
    expect(await rows()).toBe(before + (writes ? waited.length : 0))
  })
})
