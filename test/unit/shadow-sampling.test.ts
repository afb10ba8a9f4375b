// Which calls are compared, and that their callers notice nothing: without a server.
import { AsyncLocalStorage } from 'node:async_hooks'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Route } from '../../src/pool/route.js'
import { statementsBy } from '../../src/reads/statements.js'
import { copyValues } from '../../src/shadow/copy-values.js'
import { KnownReads, type KnownReadsOptions } from '../../src/shadow/known-reads.js'
import { ObservedRoute, type AnsweredRead } from '../../src/shadow/observed-route.js'

const MINUTE = 60_000

beforeEach(
  () =>
    void vi.useFakeTimers({
      toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout', 'performance'],
    }),
)
afterEach(() => {
  for (const known of open.splice(0)) known.close()
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

const open: KnownReads[] = []
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Knows texts by their first word: `select` is a read, `random` one that changes by itself, `view` one of no known view. */
function known(options: Partial<KnownReadsOptions> = {}) {
  const skips: string[] = []
  const looked: string[] = []
  const steady = (text: string): boolean => text.startsWith('select')
  const reads = new KnownReads({
    statements: {
      ...statementsBy(undefined),
      of: (text) => {
        looked.push(text)
        const verdict = text.startsWith('insert') ? 'write' : 'read'
        return { ...statementsBy(undefined).of('select'), verdict }
      },
      isRead: (text) => steady(text) || text.startsWith('random'),
      isSteady: steady,
      fingerprint: (text) => text.split(' ').slice(0, 2).join(' '),
      normalised: (text) => text,
    },
    side: 'old',
    rate: 0,
    perMinute: 0,
    hasRoom: () => true,
    skip: (why) => skips.push(why),
    ...options,
  })
  open.push(reads)
  const times = (text: string, count: number): number =>
    Array.from({ length: count }, () => reads.pick(text)).filter((picked) => picked !== undefined).length
  return { reads, skips, looked, times }
}

describe('a call is chosen', () => {
  it('never at a rate of 0, nor before its text was looked into in a turn of its own', async () => {
    const { reads, looked, times } = known()
    expect([times('select a', 3), looked]).toEqual([0, []])
    await turns()
    expect([times('select a', 1_000), looked]).toEqual([0, ['select a']])
    expect(reads.pick('select a')).toBeUndefined()
  })

  it('always at a rate of 1', async () => {
    const { times } = known({ rate: 1 })
    times('select a', 1)
    await turns()
    expect(times('select a', 100)).toBe(100)
  })

  it('at the rate that is asked for, as if by lot', async () => {
    const { times } = known({ rate: 0.01 })
    times('select a', 1)
    await turns()
    const chosen = times('select a', 200_000)
    // Six standard deviations.
    expect(chosen).toBeGreaterThan(2_000 - 6 * 45)
    expect(chosen).toBeLessThan(2_000 + 6 * 45)
  })

  it('once a minute for each statement whatever the rate, so that rare ones are seen', async () => {
    const { times } = known({ perMinute: 1 })
    for (const text of ['select a', 'select b 1', 'select b 2']) times(text, 1)
    await turns()
    const round = (): number[] => [times('select a', 9), times('select b 1', 9), times('select b 2', 9)]
    expect(round()).toEqual([1, 1, 0])
    expect(round()).toEqual([0, 0, 0])
    vi.advanceTimersByTime(MINUTE)
    expect(round()).toEqual([1, 1, 0])
  })

  it.each([
    [0.5, [1, 0, 1, 0]],
    [3, [3, 3, 3, 3]],
  ])('%s times a minute', async (perMinute, chosen) => {
    const { times } = known({ perMinute })
    times('select a', 1)
    await turns()
    const minute = (): number => {
      const count = times('select a', 9)
      vi.advanceTimersByTime(MINUTE)
      return count
    }
    expect([minute(), minute(), minute(), minute()]).toEqual(chosen)
  })

  it('not where there is no room; what is due by its quota stays due', async () => {
    let room = false
    const { times, skips } = known({ perMinute: 1, hasRoom: () => room })
    times('select a', 1)
    await turns()
    expect([times('select a', 5), skips]).toEqual([0, []])
    room = true
    expect(times('select a', 5)).toBe(1)
    const busy = known({ rate: 1, hasRoom: () => false })
    busy.times('select a', 1)
    await turns()
    expect([busy.times('select a', 5), busy.skips.length]).toEqual([0, 5])
  })

  it.each([
    ['insert into a', [0, []]],
    ['view v', [0, []]],
    ['random()', [0, ['volatile', 'volatile', 'volatile']]],
    [`select ${'x'.repeat(10_000)}`, [0, []]],
  ])('never of %.20s', async (text, expected) => {
    const { times, skips } = known({ rate: 1 })
    times(text, 1)
    await turns()
    expect([times(text, 3), skips]).toEqual(expected)
  })

  it('of a view that was made meanwhile, once the catalogs were read again', async () => {
    let made = false
    const { reads, times } = known({
      rate: 1,
      statements: {
        ...statementsBy(undefined),
        of: () => ({ ...statementsBy(undefined).of('select'), verdict: 'read' }),
        isRead: () => made,
        isSteady: () => made,
      },
    })
    times('view v', 1)
    await turns()
    made = true
    expect(times('view v', 1)).toBe(0)
    reads.learnt()
    expect(times('view v', 1)).toBe(0)
    await turns()
    expect(times('view v', 1)).toBe(1)
  })
})

it('looks into some twenty new texts a second, after a hundred at first', async () => {
  const { reads, looked } = known()
  let nr = 0
  /** Ten new texts in each of the steps of 50 ms. */
  const meet = async (steps: number): Promise<number> => {
    const before = looked.length
    for (let step = 0; step < steps; step++) {
      for (let text = 0; text < 10; text++) reads.pick(`select ${nr++}`)
      vi.advanceTimersByTime(50)
      for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    return looked.length - before
  }
  expect(await meet(20)).toBeGreaterThan(100)
  expect(looked.length).toBeLessThanOrEqual(121)
  expect(await meet(20)).toBeLessThanOrEqual(21)
})

function detached(): Uint8Array {
  const bytes = new Uint8Array(8)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  return bytes
}

const refuse = (): never => {
  throw new Error('not to be looked at')
}
const unreadable: object = new Proxy({}, { get: refuse, has: refuse, getPrototypeOf: refuse })

describe('copies of values', () => {
  const circle: Record<string, unknown> = {}
  circle['itself'] = circle

  it('are what pg would send, whatever the caller does to his own', () => {
    const bytes = Buffer.from('ab')
    const date = new Date(5)
    const given = [1, 'x', null, undefined, true, 5n, date, bytes, [1, [date], { a: 1 }], { b: [2] }]
    const copied = copyValues(given)
    bytes.fill(0)
    date.setTime(9)
    given.length = 0
    expect(copied).toEqual([
      1,
      'x',
      null,
      undefined,
      true,
      5n,
      new Date(5),
      Buffer.from('ab'),
      [1, [new Date(5)], '{"a":1}'],
      '{"b":[2]}',
    ])
  })

  it.each([
    ['what is no plain object', [new Map()]],
    ['what says itself how it is sent', [{ toPostgres: () => 'x' }]],
    ['what says itself how it is written', [{ toJSON: () => 'x' }]],
    ['a function', [() => 1]],
    ['a circle', [circle]],
    ['no array', 'abc'],
    ['a large buffer', [Buffer.alloc(1024 * 1024 + 1)]],
    ['many buffers', Array.from({ length: 3 }, () => Buffer.alloc(400 * 1024))],
    ['a long string', ['x'.repeat(1024 * 1024 + 1)]],
    ['a long string in an object', [{ a: 'x'.repeat(1024 * 1024 + 1) }]],
    ['a large object', [{ a: Array.from({ length: 10_001 }, () => 1) }]],
    ['arrays of many elements', [Array.from({ length: 200 }, () => Array.from({ length: 200 }, () => 1))]],
    ['bytes that were given away', [detached()]],
    ['what cannot be looked at', [unreadable]],
    ['deep arrays', [[[[[[[[1]]]]]]]]],
    ['a long array', [Array.from({ length: 10_001 }, () => 1)]],
  ])('are not made of %s', (_, values) => {
    expect(copyValues(values)).toBeUndefined()
  })

  it('are none where none were given', () => {
    expect([copyValues(undefined), copyValues(null)]).toEqual([[], []])
  })
})

describe('the route in front', () => {
  const answers = { fails: new Error('it failed'), result: { rows: [] } }

  function observed(chosen = true) {
    const asked: unknown[][] = []
    const taken: AnsweredRead[] = []
    const picked: string[] = []
    const contexts: unknown[] = []
    const plain: Route = {
      query: (...args: unknown[]) => {
        asked.push(args)
        const [text] = args
        const fails = text === 'select fail'
        const callback = args.find((one) => typeof one === 'function')
        if (callback)
          return void setImmediate(
            callback as (...given: unknown[]) => void,
            fails ? answers.fails : null,
            answers.result,
          )
        return fails ? Promise.reject(answers.fails) : Promise.resolve(answers.result)
      },
      connect: (callback) => ['connected', callback],
    }
    const read = {
      text: 'select 1',
      steady: true,
      ordered: false,
      fingerprint: 'f',
      shown: '',
      quota: { left: 0 },
    }
    const pick = (text: string) => {
      picked.push(text)
      return chosen ? read : undefined
    }
    const route = new ObservedRoute(plain, pick, (answered) => {
      contexts.push(store.getStore())
      taken.push(answered)
    })
    return { route, asked, taken, picked, contexts }
  }
  const store = new AsyncLocalStorage<string>()

  it('gives back what the inner pool gave where a call is not chosen', () => {
    const { route, asked, taken } = observed(false)
    const values = [1]
    const answer = route.query('select 1', values, undefined)
    expect(asked).toEqual([['select 1', values, undefined]])
    expect(asked[0]?.[1]).toBe(values)
    expect(answer).toBeInstanceOf(Promise)
    expect(taken).toEqual([])
    expect(route.connect(5)).toEqual(['connected', 5])
  })

  it.each([
    ['a text', ['select 1'], []],
    ['a text with values', ['select 1', [1]], [1]],
    ['a config', [{ text: 'select 1', name: 'n', values: [2], rowMode: 'array' }], [2]],
    ['a config with values beside it', [{ text: 'select 1', values: [2] }, [3]], [3]],
    ['a callback', ['select 1', () => {}], []],
    ['values and a callback', ['select 1', [4], () => {}], [4]],
    ['a config and a callback', [{ text: 'select 1', values: [5] }, () => {}], [5]],
  ])('takes %s after its caller was answered', async (_, args, values) => {
    const { route, taken } = observed()
    const [text, second, third] = args
    let early = 0
    const answer = route.query(text, second, third)
    if (answer instanceof Promise) {
      expect(await answer).toBe(answers.result)
      early = taken.length
    }
    expect(early).toBe(0)
    await turns()
    expect(taken.map((one) => one.values)).toEqual([values])
  })

  it('takes nothing of a call that fails, and hands its error on', async () => {
    const { route, taken } = observed()
    await expect(route.query('select fail', undefined, undefined)).rejects.toBe(answers.fails)
    const told = await new Promise((resolve) => route.query('select fail', resolve, undefined))
    expect(told).toBe(answers.fails)
    await turns()
    expect(taken).toEqual([])
  })

  it.each([
    ['a cursor', { submit: () => {}, text: 'select 1' }],
    ['a mistake', () => {}],
    ['nothing', undefined],
    ['a config without a text', { name: 'n' }],
  ])('does not ask about %s', (_, given) => {
    const { route, picked, asked } = observed()
    route.query(given, undefined, () => {})
    expect([picked, asked.length]).toEqual([[], 1])
  })

  it('hands on a call whose values cannot be copied', async () => {
    const { route, taken, asked } = observed()
    await route.query('select 1', [new Map()], undefined)
    await turns()
    expect([asked.length, taken]).toEqual([1, []])
  })

  it('compares outside of the context of the caller', async () => {
    const { route, contexts } = observed()
    await store.run('request', () => route.query('select 1', undefined, undefined))
    await turns()
    expect(contexts).toEqual([undefined])
  })
})
