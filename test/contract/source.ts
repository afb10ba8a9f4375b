// The source contract: what a migration may expect of whatever says where it should be, run on each source alike.
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CutoverEvents, type EventMap } from '../../src/events.js'
import type { SourceReport } from '../../src/index.js'
import { follow, type Follower } from '../../src/phase/follow.js'
import type { Wish } from '../../src/phase/phases.js'
import { hearing } from '../support/hearing.js'
import { watchResources } from './source/resources.js'
import { MIGRATION, type SourceRun, type SourceSubject } from './source/subject.js'

type WishEvent = EventMap['wish'][0]

const PATIENCE_MILLIS = 10_000

export function sourceContract(subject: SourceSubject): void {
  let run: SourceRun
  let follower: Follower | undefined
  let events: CutoverEvents
  let heard: WishEvent[]
  /** Every wish that was handed over to be done. */
  let done: Wish[]

  beforeEach(() => {
    follower = undefined
    events = new CutoverEvents()
    heard = []
    done = []
    events.on('wish', (event) => heard.push(event))
  })

  afterEach(async () => {
    await follower?.close()
    await run.source.close()
    await run.stop()
  })

  async function begin(options?: { readonly silent: boolean }): Promise<Follower> {
    run = await subject.start(options)
    follower = follow(run.source, { name: MIGRATION, events, onWish: (wish) => void done.push(wish) })
    return follower
  }

  /** Begins, and has followed the first value. */
  async function beginAtOld(): Promise<Follower> {
    const following = await begin()
    await followed('old')
    return following
  }

  /** The first event after so many that fits. */
  async function next(since: number, fits: (event: WishEvent) => boolean = () => true): Promise<WishEvent> {
    for (;;) {
      const found = heard.slice(since).find(fits)
      if (found) return found
      await once(events, 'wish', { signal: AbortSignal.timeout(PATIENCE_MILLIS) })
    }
  }

  const followed = (value: Wish, since = 0): Promise<WishEvent> =>
    next(since, (event) => event.value === `"${value}"` && event.outcome === 'followed')

  describe('what it says', () => {
    it('is followed from the first value on', async () => {
      const following = await begin()
      await expect(following.firstWish(PATIENCE_MILLIS)).resolves.toBe('old')
      await followed('old')
      expect(done).toEqual(['old'])
      expect(heard[0]).toMatchObject({ name: MIGRATION, source: run.source.name })
      expect(run.source.name).not.toBe('')
    })

    it('is followed at each change', async () => {
      await beginAtOld()
      for (const [said, wish] of [
        ['mirror', 'mirror'],
        ['hold', 'hold'],
        ['live', 'live'],
        ['complete', 'new'],
      ] as const) {
        await run.say(said)
        await followed(wish)
      }
      expect(done).toEqual(['old', 'mirror', 'hold', 'live', 'new'])
    })

    it('may change fifty times at once: the last value is done last', async () => {
      const following = await beginAtOld()
      for (let change = 0; change < 49; change++) await run.say(change % 2 === 0 ? 'mirror' : 'shadow')
      await run.say('rampdown')
      await followed('rampdown')
      await following.settled()
      expect(done.at(-1)).toBe('rampdown')
      expect(following.lastWish).toBe('rampdown')
    })

    it('is done once, however often it is said', async () => {
      await beginAtOld()
      for (let times = 0; times < 5; times++) await run.say('old')
      await run.say('mirror')
      await followed('mirror')
      expect(done).toEqual(['old', 'mirror'])
    })

    it('moves nothing when it is no wish, and is followed again when it is one', async () => {
      const following = await beginAtOld()
      const wanted: Wish[] = ['old']
      for (const [index, value] of subject.garbage.entries()) {
        const since = heard.length
        await run.say(value)
        const event = await next(since)
        expect(event.outcome, JSON.stringify(value)).toMatch(/^(refused|unavailable)$/)
        expect(event.reason.length).toBeGreaterThan(10)
        expect(following.whyNot).toBe(event.reason)
        expect(following.lastWish).toBe(wanted.at(-1))
        expect(done).toEqual(wanted)
        const good = index % 2 === 0 ? 'mirror' : 'shadow'
        await run.say(good)
        await followed(good, since)
        expect(following.whyNot).toBeUndefined()
        wanted.push(good)
        expect(done).toEqual(wanted)
      }
    })
  })

  describe('what it does not say', () => {
    it('names no phase where nothing was ever said, and is followed once something is', async () => {
      const following = await begin({ silent: true })
      await expect(following.firstWish(100)).rejects.toMatchObject({
        code: 'ERR_PHASE_UNKNOWN',
        message: expect.stringContaining(run.source.name),
      })
      expect(done).toEqual([])
      await run.say('shadow')
      await followed('shadow')
      expect(done).toEqual(['shadow'])
    })

    it('moves nothing while it cannot be reached, and is followed when it is back', async () => {
      const following = await beginAtOld()
      for (const [before, after] of [
        ['old', 'old'],
        ['old', 'shadow'],
      ] as const) {
        const since = heard.length
        await run.outage()
        if (subject.noticesOutage) {
          const event = await next(since)
          expect(event).toMatchObject({ outcome: 'unavailable', reason: expect.stringMatching(/.{10,}/) })
          expect(following.whyNot).toBe(event.reason)
        }
        expect(following.lastWish).toBe(before)
        expect(done.at(-1)).toBe(before)
        await run.back(after)
        if (subject.noticesOutage || before !== after) await followed(after, since)
        expect(following.whyNot).toBeUndefined()
        expect(heard.slice(since).filter((event) => event.outcome === 'unavailable')).toHaveLength(
          subject.noticesOutage ? 1 : 0,
        )
      }
      expect(done).toEqual(['old', 'shadow'])
    })

    it('moves nothing when what was made for it is gone, and is followed when it is made again', async () => {
      const following = await beginAtOld()
      await run.forget()
      if (subject.forgets !== false) {
        const event = await next(1)
        expect(event).toMatchObject({ outcome: 'unavailable', reason: expect.stringMatching(/.{10,}/) })
        expect(following.whyNot).toBe(event.reason)
      }
      expect(following.lastWish).toBe('old')
      expect(done).toEqual(['old'])
      await run.say('mirror')
      await followed('mirror')
      expect(done).toEqual(['old', 'mirror'])
    })
  })

  describe('close', () => {
    /** What was reported, told in turn; without a follower, which would hide what comes too late. */
    async function watchBare(): Promise<SourceReport[]> {
      const reports: SourceReport[] = []
      await run.source.watch(
        (report) => {
          reports.push(report)
          events.emit('wish', { name: MIGRATION, source: '', value: '', outcome: 'ignored', reason: '' })
        },
        { name: MIGRATION },
      )
      return reports
    }

    /** Nothing says that nothing will come. Who hears the second value has had its turns since the first. */
    async function saidAndHeard(): Promise<void> {
      const witness = hearing(run.another())
      await witness.source.watch(witness.report, { name: MIGRATION })
      for (const said of ['live', 'rampdown'] as const) {
        await run.say(said)
        await witness.until((report) => report.kind === 'value' && report.value === said)
      }
      await witness.source.close()
    }

    it('is followed by silence', async () => {
      run = await subject.start()
      const reports = await watchBare()
      await next(0)
      await run.source.close()
      const before = reports.length
      await saidAndHeard()
      expect(reports).toHaveLength(before)
    })

    it('may come twice, at once, and before anything was heard', async () => {
      run = await subject.start()
      const watching = watchBare()
      await Promise.all([run.source.close(), run.source.close()])
      const reports = await watching
      await run.source.close()
      const before = reports.length
      await saidAndHeard()
      expect(reports).toHaveLength(before)
    })

    it('may come to a source that was never watched', async () => {
      run = await subject.start()
      await run.source.close()
    })

    it('gives back every timer, socket, watcher and listener', async () => {
      run = await subject.start()
      const heldBefore = (await run.held?.()) ?? 0
      const resources = watchResources()
      try {
        await watchBare()
        await next(0)
        const since = heard.length
        await run.say('mirror')
        await next(since)
        if (run.held) expect(await run.held()).toBeGreaterThan(heldBefore)
        // Else what is looked for would not be seen.
        if (subject.forgets !== false) expect(resources.made).toBeGreaterThan(0)
        await run.source.close()
        const deadline = performance.now() + 5_000
        while (resources.left.length > 0 && performance.now() < deadline) await turn()
        expect(resources.left).toEqual([])
        while (run.held && (await run.held()) > heldBefore && performance.now() < deadline) await turn()
        if (run.held) expect(await run.held()).toBe(heldBefore)
      } finally {
        resources.stop()
      }
    })
  })
}
