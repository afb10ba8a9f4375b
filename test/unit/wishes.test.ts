// What becomes of every wish in direct mode: each ends in an event with its reason, and status() says why the last one is not done.
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { stubConfig } from '../../bench/stub-client.js'
import type { EventMap } from '../../src/events.js'
import { createCutover, memorySource, type Cutover, type Phase } from '../../src/index.js'
import type { Source, SourceReport } from '../../src/phase/source.js'

interface Scene {
  readonly cutover: Cutover
  /** Each wish event as `value outcome: reason`. */
  readonly told: string[]
  say(value: unknown): void
  gone(): void
  /** Resolves with the next wish event of this outcome. */
  next(outcome: EventMap['wish'][0]['outcome']): Promise<unknown>
  /** A client that is out, so that no move gets past its drain. */
  keepBusy(): Promise<{ release(): void }>
}

let made: Cutover[] = []

afterEach(async () => {
  for (const cutover of made.splice(0)) await cutover.end()
})

async function scene({ first, fallback, drainTimeoutMillis = 1_000 }: Start): Promise<Scene> {
  let report: (report: SourceReport) => void = () => {}
  const source: Source = {
    name: 'flag',
    watch(listener) {
      report = listener
      if (first !== undefined) listener({ kind: 'value', value: first })
    },
    close() {},
  }
  const cutover = createCutover({
    name: 'orders',
    old: stubConfig(2),
    new: stubConfig(2),
    source,
    fallback,
    drainTimeoutMillis,
    holdTimeoutMillis: 1_000,
  })
  made.push(cutover)
  const told: string[] = []
  cutover.on('wish', ({ value, outcome, reason }) => told.push(`${value} ${outcome}: ${reason}`))
  const next: Scene['next'] = (outcome) =>
    new Promise((resolve) => {
      const hear = (wish: EventMap['wish'][0]): void => {
        if (wish.outcome !== outcome) return
        cutover.off('wish', hear)
        resolve(wish)
      }
      cutover.on('wish', hear)
    })
  const heard = next(first === 'nonsense' ? 'refused' : 'followed')
  if (first !== undefined) await heard
  return {
    cutover,
    told,
    say: (value) => report({ kind: 'value', value }),
    gone: () => report({ kind: 'unavailable', reason: 'the stream was cut' }),
    next,
    keepBusy: () => cutover.pool.connect(),
  }
}

interface Start {
  /** Said at once; nothing where it is undefined. */
  readonly first: unknown
  readonly fallback?: Phase
  readonly drainTimeoutMillis?: number
}

/** `first` is "old" where it is left out. */
interface Case extends Partial<Start> {
  readonly happens: (scene: Scene) => Promise<unknown>
  readonly told: readonly (string | RegExp)[]
  readonly phase: Phase | undefined
  readonly whyNot?: string | RegExp | undefined
}

const CASES: Record<string, Case> = {
  'the present phase once more, after an outage': {
    happens: async ({ say, gone, next }) => {
      gone()
      const heard = next('followed')
      say('old')
      await heard
    },
    told: [
      '"old" followed: done',
      'nothing unavailable: it is unavailable: the stream was cut',
      '"old" followed: it was done before',
    ],
    phase: 'old',
  },
  'another phase with the same writer': {
    happens: async ({ say, next }) => {
      say('shadow')
      await next('followed')
    },
    told: ['"old" followed: done', '"shadow" followed: done'],
    phase: 'shadow',
  },
  'a stage of LaunchDarkly': {
    first: 'dualwrite',
    happens: () => Promise.resolve(),
    told: ['"mirror" followed: done'],
    phase: 'mirror',
  },
  'a silence': {
    happens: async ({ gone, next }) => {
      const heard = next('unavailable')
      gone()
      await heard
    },
    told: ['"old" followed: done', 'nothing unavailable: it is unavailable: the stream was cut'],
    phase: 'old',
    whyNot: 'it is unavailable: the stream was cut',
  },
  'garbage, at once': {
    first: 'nonsense',
    happens: () => Promise.resolve(),
    told: [/^"nonsense" refused: "nonsense" is no phase; expected one of/],
    phase: undefined,
    whyNot: /^"nonsense" is no phase/,
  },
  'a burst': {
    happens: async ({ say, next }) => {
      const done = next('followed')
      say('mirror')
      say('shadow')
      say('live')
      await done
    },
    told: [
      '"old" followed: done',
      '"mirror" ignored: "shadow" was wished before this one was begun',
      '"shadow" ignored: "live" was wished before this one was begun',
      '"live" followed: done',
    ],
    phase: 'live',
  },
  'a move that fails': {
    drainTimeoutMillis: 10,
    happens: async ({ say, next, keepBusy }) => {
      const client = await keepBusy()
      const failed = next('ignored')
      say('live')
      await failed
      client.release()
    },
    told: ['"old" followed: done', /^"live" ignored: [^;]*; it is tried again$/],
    phase: 'old',
    whyNot: /^[^;]*; it is tried again$/,
  },
  'a move that fails, and then advance() to the same': {
    drainTimeoutMillis: 10,
    happens: async ({ cutover, say, next, keepBusy }) => {
      const client = await keepBusy()
      const failed = next('ignored')
      say('live')
      await failed
      client.release()
      await cutover.advance('live')
    },
    told: ['"old" followed: done', /^"live" ignored/],
    phase: 'live',
  },
  'a move that fails, and then advance() to something else': {
    drainTimeoutMillis: 10,
    happens: async ({ cutover, say, next, keepBusy }) => {
      const client = await keepBusy()
      const failed = next('ignored')
      say('live')
      await failed
      client.release()
      await cutover.advance('mirror')
    },
    told: ['"old" followed: done', /^"live" ignored/],
    phase: 'mirror',
    whyNot: /^the phase is "mirror" by other means than the source/,
  },
  'advance() against the source, and then an outage': {
    happens: async ({ cutover, say, gone, next }) => {
      await cutover.advance('shadow')
      gone()
      const heard = next('ignored')
      say('old')
      await heard
    },
    told: [
      '"old" followed: done',
      /^nothing unavailable/,
      /^"old" ignored: the phase is "shadow" by other means than the source, .* it says something else$/,
    ],
    phase: 'shadow',
    whyNot: /^the phase is "shadow" by other means/,
  },
  'a wish in the middle of advance()': {
    happens: async ({ cutover, say, next, keepBusy }) => {
      const client = await keepBusy()
      const moved = cutover.advance('live')
      const told = next('ignored')
      say('shadow')
      await told
      client.release()
      await moved
    },
    told: [
      '"old" followed: done',
      '"shadow" ignored: a change of phase is running in this process; it is tried again',
    ],
    phase: 'live',
    whyNot: 'a change of phase is running in this process; it is tried again',
  },
  'a hold, ended by the same phase': {
    happens: async ({ cutover, say, next }) => {
      say('hold')
      await next('followed')
      expect(cutover.status().route).toBe('held')
      say('old')
      await next('followed')
      expect(cutover.status().route).toBe('direct')
    },
    told: ['"old" followed: done', '"hold" followed: done', '"old" followed: done'],
    phase: 'old',
  },
  'a hold, ended by its lease': {
    happens: async ({ cutover, say, next }) => {
      say('hold')
      await next('followed')
      expect(cutover.status().source.whyNot).toBeUndefined()
      await cutover.pool.query('select 1')
    },
    told: ['"old" followed: done', '"hold" followed: done'],
    phase: 'old',
    whyNot: /^the hold has ended, since none outlives/,
  },
  'a hold before any phase': {
    first: undefined,
    happens: async ({ say, next }) => {
      const heard = next('refused')
      say('hold')
      await heard
    },
    told: ['"hold" refused: there is no phase yet to hold at'],
    phase: undefined,
    whyNot: 'there is no phase yet to hold at',
  },
  'a hold over a fallback': {
    first: undefined,
    fallback: 'new',
    happens: async ({ say, next }) => {
      const heard = next('followed')
      say('hold')
      await heard
    },
    told: ['"hold" followed: done'],
    phase: 'new',
  },
  'one that end() finds before it was begun': {
    happens: async ({ cutover, say }) => {
      say('live')
      say('shadow')
      await cutover.end()
    },
    told: [
      '"old" followed: done',
      '"live" ignored: "shadow" was wished before this one was begun',
      '"shadow" ignored: the migration was ended in this process',
    ],
    phase: 'old',
    whyNot: 'the migration was ended in this process',
  },
  'one that end() cuts short': {
    happens: async ({ cutover, say, keepBusy }) => {
      const client = await keepBusy()
      const draining = new Promise((resolve) => {
        cutover.on('step', ({ step }) => step === 'drain' && resolve(step))
      })
      say('live')
      await draining
      const ended = cutover.end()
      client.release()
      await ended
    },
    told: ['"old" followed: done', '"live" refused: the migration was ended in this process'],
    phase: 'old',
    whyNot: 'the migration was ended in this process',
  },
}

describe('a wish', () => {
  it.each(Object.entries(CASES))('%s', async (_, row) => {
    const start = await scene({ first: 'old', ...row })
    await row.happens(start)
    const asWritten = (line: string | RegExp | undefined): unknown =>
      line instanceof RegExp ? expect.stringMatching(line) : line
    expect(start.told).toEqual(row.told.map(asWritten))
    expect([start.cutover.phase, start.cutover.status().source.whyNot]).toEqual([
      row.phase,
      asWritten(row.whyNot),
    ])
  })
})

it('a wish that came before a start that fails is refused with the reason of the start', async () => {
  const unreachable = (port: number): { connectionString: string } => ({
    connectionString: `postgres://app@127.0.0.1:${port}/app`,
  })
  const cutover = createCutover({
    name: 'orders',
    old: unreachable(1),
    new: unreachable(2),
    control: true,
    autoAdvance: true,
    source: memorySource('live'),
  })
  made.push(cutover)
  const wish = once(cutover, 'wish')
  await expect(cutover.ready()).rejects.toMatchObject({ code: 'ERR_UNREACHABLE' })
  expect(await wish).toMatchObject([
    { value: '"live"', outcome: 'refused', reason: expect.stringContaining('ECONNREFUSED') as string },
  ])
  expect(cutover.status()).toMatchObject({
    phase: undefined,
    phaseFrom: undefined,
    source: { whyNot: expect.stringContaining('could not be reached') as string },
  })
})

it('is heard by one migration: a source that belongs to another one already is refused until that has ended', async () => {
  const source = memorySource('old')
  const make = (name: string): Cutover =>
    createCutover({ name, old: stubConfig(1), new: stubConfig(1), source })
  const first = make('orders')
  made.push(first)
  expect(() => make('users')).toThrow(/"memory" already belongs to another migration/)
  await first.end()
  made.push(make('users'))
})
