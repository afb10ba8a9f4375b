// The gates of the benchmarks: how one decides, and that each thing that is broken on purpose fails the gate that is there for it.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { check } from '../../bench/check.js'
import { decide } from '../../bench/check/decide.js'
import { GATE_NAMES, GATES, type GateName } from '../../bench/check/gates.js'
import { inQuads } from '../../bench/check/quads.js'
import { compiled } from '../support/compiled.js'
import { seededRandom } from '../support/seeded-random.js'

const RULE = { lead: 4, warmUp: 0, boundMillis: 1_000 }

describe('a gate', () => {
  /** How many of 2,000 gates fail, each of whose samples is over the limit with this probability. */
  async function failing(probability: number): Promise<number> {
    const random = seededRandom(8)
    let over = 0
    for (let gate = 0; gate < 2_000; gate++) {
      const { verdict } = await decide(
        1,
        () => (random() < probability ? 100 : 0.9),
        RULE,
        () => 0,
      )
      if (verdict === 'over') over++
    }
    return over / 2_000
  }

  it.each([
    [0.1, 0.0002],
    [0.25, 0.0122],
    [0.5, 0.5],
    [0.75, 0.9878],
  ])('of whose samples %d are over the limit fails as often as it says', async (probability, expected) => {
    const error = 4 * Math.sqrt((expected * (1 - expected)) / 2_000)
    expect(Math.abs((await failing(probability)) - expected)).toBeLessThan(error)
  })

  it('asks for no more samples than it takes', async () => {
    expect((await decide(1, () => 1, RULE)).samples).toEqual([1, 1, 1, 1])
    expect((await decide(1, () => 1.1, RULE)).samples).toEqual([1.1, 1.1, 1.1, 1.1])
  })

  it('is not passed by what is no number', async () => {
    expect((await decide(1, () => Number.NaN, RULE)).verdict).toBe('over')
  })

  it('throws away what warms up', async () => {
    let sample = 0
    const { verdict } = await decide(1, () => (sample++ < 3 ? 2 : 1), { ...RULE, warmUp: 3 })
    expect(verdict).toBe('under')
  })

  it('ends when its time is over, but not without samples', async () => {
    let sample = 0
    let now = 0
    const turns = (): number => (now++, sample++ % 2 === 0 ? 2 : 1)
    const late = await decide(1, turns, { ...RULE, boundMillis: 20 }, () => now)
    expect(late).toMatchObject({ verdict: 'undecided', samples: { length: 20 } })
    expect((await decide(1, turns, { ...RULE, boundMillis: 0 }, () => now)).samples).toHaveLength(4)
  })

  it('sees a difference of one in a hundred through a drift of as much in each slice', async () => {
    let drift = 100
    const cost = (own: number) => (): number => (drift += 1) * own
    const ratio = inQuads(cost(1), cost(1.01))
    expect(await ratio()).toBeCloseTo(1.01, 3)
    expect(await ratio()).toBeCloseTo(1.01, 3)
  })
})

describe('check', () => {
  beforeEach(() => {
    vi.spyOn(console, 'log').mockReturnValue()
    vi.spyOn(console, 'error').mockReturnValue()
  })

  afterEach(() => {
    vi.restoreAllMocks()
    process.exitCode = undefined
  })

  it.each([
    ['under', undefined],
    ['undecided', undefined],
    ['over', 1],
    ['died', 1],
  ] as const)('ends with the code of a gate that is %s', async (verdict, code) => {
    const outcome = { what: 'cost', unit: '×', measured: 1, most: 1 }
    const { gates, failed } = await check(async (name) => ({
      outcome,
      verdict: name === 'held' ? verdict : 'under',
    }))
    expect({ gates, failed, code: process.exitCode }).toEqual({
      gates: GATE_NAMES.length,
      failed: code ?? 0,
      code,
    })
  })
})

describe('on purpose', () => {
  const script = compiled(join(import.meta.dirname, '../../bench/check/process.ts'))

  async function verdicts(name: GateName, rule: object, variants: readonly string[]) {
    const args = [script, name, JSON.stringify({ boundMillis: 10_000, ...rule }), '', ...variants]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    const lines = stdout.trimEnd().split('\n')
    return lines.map((line): unknown => JSON.parse(line))
  }

  // Those of `held` and `server` take long; `npm run bench -- prove` has all.
  it.each([
    ['call-promises', { lead: 2, warmUp: 0 }, ['plain', 'async', 'finally']],
    ['call-bytes', { lead: 2, warmUp: 2 }, ['plain', 'copy']],
    ['call-cpu', { lead: 6, warmUp: 12 }, ['plain', 'async', 'finally', 'flag', 'context']],
    ['phase', { lead: 6, warmUp: 12 }, ['plain', 'map', 'status']],
    ['read', { lead: 6, warmUp: 10 }, ['plain', 'anew']],
  ] as const)('what is broken fails %s, and what is not passes', async (name, rule, named) => {
    const { variants } = await GATES[name]()
    expect(await verdicts(name, rule, named)).toEqual(
      named.map((variant) =>
        expect.objectContaining({ variant, verdict: variants[variant] === 'fails' ? 'over' : 'under' }),
      ),
    )
  })
})
