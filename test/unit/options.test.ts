// What createCutover accepts and refuses, option by option, and what its refusals say.
import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import { DEFAULT_DUAL_WRITE, DEFAULT_TIMINGS } from '../../src/control/migration.js'
import type { CutoverOptions } from '../../src/cutover/options.js'
import { CutoverError } from '../../src/errors.js'
import { nearest } from '../../src/options.js'
import { memorySource } from '../../src/phase/memory-source.js'
import { readOptions } from '../../src/cutover/read-options.js'

const SECRET = 'hunter2'
const old = { connectionString: `postgres://app:${SECRET}@127.0.0.1/app` }
const fresh = { connectionString: `postgres://app:${SECRET}@127.0.0.1:5433/app` }
const source = memorySource('old')
const least = { name: 'orders', old, new: fresh, source }

/** Passes options that the compiler would refuse, as plain JavaScript does. */
const read = (extra: Record<string, unknown>): unknown => readOptions({ ...least, ...extra })

function refusal(extra: Record<string, unknown>): string {
  try {
    read(extra)
  } catch (error) {
    expect(error).toBeInstanceOf(CutoverError)
    expect(error).toHaveProperty('code', 'ERR_OPTION')
    return (error as Error).message
  }
  throw new Error('nothing was refused')
}

describe('defaults', () => {
  it('fills in direct mode without a mirror', () => {
    expect(readOptions(least)).toEqual({
      name: 'orders',
      pools: { old, new: fresh },
      source,
      mirror: 'none',
      dualWrite: DEFAULT_DUAL_WRITE,
      control: undefined,
      tables: undefined,
      fallback: undefined,
      stateFile: undefined,
      autoAdvance: false,
      heldReadsMax: undefined,
      shadow: {
        rate: 0.01,
        perMinute: 1,
        max: 2,
        maxBytes: 8_388_608,
        timeoutMillis: 2_000,
        lagTimeoutMillis: 10_000,
        floatTolerance: 0,
        values: false,
      },
      onDrainTimeout: 'abort',
      members: 'barrier',
      attempts: 3,
      timings: DEFAULT_TIMINGS,
    })
  })

  it('takes undefined for not given, in every optional key', () => {
    const keys = [
      'mirror',
      'control',
      'tables',
      'fallback',
      'autoAdvance',
      'onDrainTimeout',
      'members',
      'attempts',
    ]
    const unset = [...keys, ...Object.keys(DEFAULT_TIMINGS)].map((key) => [key, undefined])
    expect(read(Object.fromEntries(unset))).toEqual(readOptions(least))
  })

  it('mirrors by replication once there is control', () => {
    expect(readOptions({ ...least, control: true })).toMatchObject({
      mirror: 'replication',
      control: {
        connections: { old: undefined, new: undefined },
        reachedBy: { old: undefined, new: undefined },
      },
    })
    expect(readOptions({ ...least, control: true, mirror: 'none' }).mirror).toBe('none')
  })

  it('takes connections of its own for control, as a string or as a config', () => {
    const control = { old: 'postgres://admin@db1/app', new: { host: 'db2' }, oldReachedBy: 'host=db1' }
    expect(readOptions({ ...least, control }).control).toEqual({
      connections: { old: { connectionString: 'postgres://admin@db1/app' }, new: { host: 'db2' } },
      reachedBy: { old: 'host=db1', new: undefined },
    })
  })
})

const dual = { mirror: 'dual-write', control: true } as const

describe('refusals', () => {
  it.each([
    [{ name: undefined }, 'name is missing; expected 1 to 63 letters, digits and _ - . :'],
    [{ name: '' }, 'name is "";'],
    [{ name: 'über' }, 'name is "über";'],
    [{ name: 'a'.repeat(64) }, 'name is "aaa'],
    [{ name: 7 }, 'name is 7;'],
    [{ holdTimeoutMilis: 100 }, 'holdTimeoutMilis is no option; did you mean holdTimeoutMillis?'],
    [{ Source: source }, 'Source is no option; did you mean source?'],
    [{ zebra: 1 }, 'zebra is no option; known are name, old, new, source,'],
    [
      { holdTimeoutMillis: 0 },
      'holdTimeoutMillis is 0; expected a whole number of milliseconds from 1 to 10,000',
    ],
    [{ holdTimeoutMillis: '5s' }, 'holdTimeoutMillis is "5s";'],
    [{ holdTimeoutMillis: 10_001 }, 'holdTimeoutMillis is 10001;'],
    [{ holdTimeoutMillis: null }, 'holdTimeoutMillis is null;'],
    [{ drainTimeoutMillis: 1.5 }, 'drainTimeoutMillis is 1.5;'],
    [{ copyTimeoutMillis: Infinity }, 'copyTimeoutMillis is Infinity;'],
    [{ prepareTimeoutMillis: 2 ** 31 }, 'prepareTimeoutMillis is 2147483648;'],
    [
      { holdTimeoutMillis: 1000, drainTimeoutMillis: 1001 },
      'drainTimeoutMillis is 1001; expected at most holdTimeoutMillis, 1000',
    ],
    [{ source: undefined }, 'source is missing;'],
    [{ source: 'old' }, 'source is "old"; expected a source: memorySource()'],
    [{ source: { watch: () => {} } }, 'source is an object;'],
    [{ mirror: 'replication' }, 'mirror is "replication" and control is false'],
    [{ mirror: 'dual-write' }, 'mirror is "dual-write" and control is false'],
    [{ mirror: 'both' }, 'mirror is "both"; expected one of replication, dual-write, none'],
    [
      { control: true, dualWrite: {} },
      `dualWrite is given and mirror is "replication"; expected mirror: 'dual-write'`,
    ],
    [
      { ...dual, dualWrite: { await: 'both' } },
      'dualWrite.await is "both"; expected one of recorded, applied',
    ],
    [
      { ...dual, dualWrite: { batchRows: 0 } },
      'dualWrite.batchRows is 0; expected a whole number of rows from 1',
    ],
    [{ ...dual, dualWrite: { mapped: { 'public.a': 'b' } } }, `expected an object of table names such as`],
    [
      { ...dual, dualWrite: { mapped: { 'public.*': 'shop.a' } } },
      `expected an object of table names such as`,
    ],
    [
      { ...dual, dualWrite: { mapped: { 'a.t': 'shop.t', 'b.t': 'shop.t' } } },
      `expected an object of table names such as`,
    ],
    [{ control: 'yes' }, 'control is a string; expected true, false, or an object'],
    [{ control: { olds: 'x' } }, 'control.olds is no option; did you mean old?'],
    [{ control: { old: '' } }, 'control.old is an empty string; expected a connection string'],
    [{ control: { new: {} } }, 'control.new is an empty object;'],
    [{ control: { oldReachedBy: {} } }, 'control.oldReachedBy is an empty object; expected a libpq'],
    [{ tables: [] }, 'tables is an array of 0; expected an array of at least one table'],
    [{ tables: ['orders'] }, 'tables is an array of 1;'],
    [{ tables: 'public.orders' }, 'tables is "public.orders";'],
    [{ fallback: 'off' }, 'fallback is "off"; expected one of old, mirror, shadow, live, rampdown, new'],
    [{ fallback: 'hold' }, 'fallback is "hold";'],
    [{ autoAdvance: 'false' }, 'autoAdvance is "false"; expected true or false'],
    [{ onDrainTimeout: 'kill' }, 'onDrainTimeout is "kill"; expected one of abort, cancel'],
    [{ attempts: 0 }, 'attempts is 0; expected a whole number from 1 to 10'],
    [{ attempts: 11 }, 'attempts is 11;'],
    [{ old: undefined }, 'old is missing; expected a pg.PoolConfig'],
    [
      { old: old.connectionString },
      'old is a string; expected a pg.PoolConfig with at least one setting, or a pg.Pool. Write { connectionString: … }',
    ],
    [{ new: {} }, 'new is an empty object;'],
    [{ new: { host: undefined } }, 'new is an object;'],
    [{ new: [fresh] }, 'new is an array of 1;'],
    [{ new: old }, 'old and new are the same object'],
  ])('refuses %o', (extra, message) => {
    expect(refusal(extra)).toContain(message)
  })

  it.each([
    ['a pool by duck type', { connect: () => {}, query: () => {} }],
    [
      "another copy's pool",
      new (class BoundPool {
        totalCount = 0
      })(),
    ],
  ])('refuses %s and says that there may be two copies of pg', (_, pool) => {
    expect(refusal({ old: pool })).toContain('two copies of pg are installed')
  })

  it('refuses what is no object at all', () => {
    expect(() => readOptions(undefined as unknown as CutoverOptions)).toThrow(
      'got undefined; expected an object',
    )
    expect(() => readOptions([] as unknown as CutoverOptions)).toThrow('got an array of 0')
  })

  it.each([
    { old: old.connectionString },
    { old: { connect: () => {}, query: () => {}, ...old } },
    { control: old.connectionString },
    { control: { old: { connectionString: SECRET, connect: () => {} } } },
    { control: { oldReachedBy: [old.connectionString] } },
    { new: [old.connectionString] },
  ])('never shows a secret', (extra) => {
    expect(refusal(extra)).not.toContain(SECRET)
  })
})

describe('pools', () => {
  class AppPool extends pg.Pool {}
  const handedIn = [new pg.Pool({ max: 1 }), new AppPool({ max: 1 })] as const
  afterAll(() => Promise.all(handedIn.map((pool) => pool.end())))

  it('takes pools as they are, subclasses too', () => {
    const { pools } = readOptions({ ...least, old: handedIn[0], new: handedIn[1] })
    expect(pools.old).toBe(handedIn[0])
    expect(pools.new).toBe(handedIn[1])
  })

  it('refuses one pool for both sides', () => {
    expect(refusal({ old: handedIn[0], new: handedIn[0] })).toContain('old and new are the same object')
  })
})

describe('timings', () => {
  it('shrinks the steps that were not given with the hold', () => {
    const { timings } = readOptions({ ...least, holdTimeoutMillis: 800, fenceTimeoutMillis: 300 })
    expect(timings).toEqual({
      ...DEFAULT_TIMINGS,
      holdTimeoutMillis: 800,
      drainTimeoutMillis: 800,
      fenceTimeoutMillis: 300,
      catchUpTimeoutMillis: 800,
      stopReadsTimeoutMillis: 800,
      decideTimeoutMillis: 800,
    })
  })
})

describe('the time for reads to leave', () => {
  const short = { control: true, stopReadsTimeoutMillis: 2_099 } as const

  it('is refused below what a silent member of the fleet needs', () => {
    expect(refusal(short)).toMatch(/^createCutover: stopReadsTimeoutMillis is 2099; expected at least 2100 /)
    expect(refusal({ ...short, holdTimeoutMillis: 2_500 })).toContain('Leave it out')
  })

  it.each([
    ['the default', { control: true }, 2_500],
    ['what a silent member needs', { control: true, stopReadsTimeoutMillis: 2_100 }, 2_100],
    ['less where nobody is asked', { ...short, members: 'fence-only' }, 2_099],
    ['less in direct mode', { stopReadsTimeoutMillis: 300 }, 300],
    ['less where the whole hold is shorter', { control: true, holdTimeoutMillis: 800 }, 800],
  ] as const)('may be %s', (_, extra, expected) => {
    expect(readOptions({ ...least, ...extra }).timings.stopReadsTimeoutMillis).toBe(expected)
  })
})

describe('nearest', () => {
  it.each([
    ['onDrainTimout', 'onDrainTimeout'],
    ['autoadvance', 'autoAdvance'],
    ['x', undefined],
    ['qqqqqqqqqqqq', undefined],
  ])('%s → %s', (word, expected) => {
    expect(nearest(word, ['onDrainTimeout', 'autoAdvance', 'fallback'])).toBe(expected)
  })
})
