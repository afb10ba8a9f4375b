// Following a source: one wish at a time, the last one wins, and trouble is told but never passed on.
import { once } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { CutoverEvents } from '../../src/events.js'
import { follow, type Follower, type FollowOptions } from '../../src/phase/follow.js'
import { memorySource } from '../../src/phase/memory-source.js'
import type { Wish } from '../../src/phase/phases.js'
import type { Source, SourceReport } from '../../src/phase/source.js'

interface Scene {
  readonly follower: Follower
  readonly events: CutoverEvents
  /** `value outcome` of every wish event so far. */
  readonly told: string[]
  say(value: unknown): void
  silence(reason: string): void
}

function scene(onWish: FollowOptions['onWish'], initial?: SourceReport): Scene {
  const events = new CutoverEvents()
  const told: string[] = []
  events.on('wish', (wish) => told.push(`${wish.value} ${wish.outcome}`))
  let report: (report: SourceReport) => void = () => {}
  const source: Source = {
    name: 'test',
    watch(listener) {
      report = listener
      if (initial) listener(initial)
    },
    close() {},
  }
  return {
    follower: follow(source, { name: 'orders', events, onWish }),
    events,
    told,
    say: (value) => report({ kind: 'value', value }),
    silence: (reason) => report({ kind: 'unavailable', reason }),
  }
}

/** Work that is finished by the test. */
function handWork(): {
  done: Wish[]
  onWish: (wish: Wish) => Promise<void>
  finish: (error?: Error) => void
} {
  const done: Wish[] = []
  const open: { resolve: () => void; reject: (error: Error) => void }[] = []
  return {
    done,
    onWish(wish) {
      done.push(wish)
      return new Promise((resolve, reject) => open.push({ resolve, reject }))
    },
    finish(error) {
      const oldest = open.shift()
      if (!oldest) throw new Error('nothing is being done')
      if (error) oldest.reject(error)
      else oldest.resolve()
    },
  }
}

describe('wishes', () => {
  it('hands over the first wish and each later one, with stage names read as phases', async () => {
    const done: Wish[] = []
    const { follower, told, say } = scene((wish) => void done.push(wish), { kind: 'value', value: 'off' })
    await follower.settled()
    say('dualwrite')
    await follower.settled()
    say('hold')
    await follower.settled()
    expect(done).toEqual(['old', 'mirror', 'hold'])
    expect(told).toEqual(['"old" followed', '"mirror" followed', '"hold" followed'])
    expect(follower).toMatchObject({ lastWish: 'hold', whyNot: undefined })
  })

  it('never runs two at once, and of a burst only the last', async () => {
    const { done, onWish, finish } = handWork()
    const { follower, events, told, say } = scene(onWish, { kind: 'value', value: 'old' })
    await Promise.resolve()
    say('mirror')
    say('shadow')
    say('live')
    expect(done).toEqual(['old'])
    const followed = once(events, 'wish')
    finish()
    await followed
    await Promise.resolve()
    expect(done).toEqual(['old', 'live'])
    finish()
    await follower.settled()
    expect(told).toEqual(['"mirror" ignored', '"shadow" ignored', '"old" followed', '"live" followed'])
  })

  it('does nothing about a repeated report, nor about the same wish after trouble', async () => {
    const onWish = vi.fn<(wish: Wish) => void>()
    const { follower, told, say, silence } = scene(onWish, { kind: 'value', value: 'live' })
    await follower.settled()
    say('live')
    silence('gone')
    silence('gone')
    say('live')
    await follower.settled()
    expect(onWish).toHaveBeenCalledOnce()
    expect(told).toEqual(['"live" followed', 'nothing unavailable', '"live" followed'])
  })

  it('tells listeners what a source says at once, though they come later', async () => {
    const report = (listener: (report: SourceReport) => void): void => {
      listener({ kind: 'warning', code: 'OFFLINE', message: 'it is offline' })
      listener({ kind: 'value', value: 'nonsense' })
      listener({ kind: 'value', value: 'mirror' })
      listener({ kind: 'value', value: 'off' })
    }
    const events = new CutoverEvents()
    const follower = follow(
      { name: 'eager', watch: report, close() {} },
      { name: 'orders', events, onWish() {} },
    )
    const told: string[] = []
    events.on('warning', ({ code }) => told.push(code))
    events.on('wish', ({ value, outcome }) => told.push(`${value} ${outcome}`))
    await follower.settled()
    expect(told).toEqual(['OFFLINE', '"nonsense" refused', '"mirror" ignored', '"old" followed'])
  })

  it('knows what became of a wish that the source spells in its own way', async () => {
    const { follower } = scene(() => {}, { kind: 'value', value: 'off' })
    expect(follower.lastHeard).toMatchObject({ value: '"off"', outcome: 'waiting' })
    await follower.settled()
    expect(follower.lastHeard).toMatchObject({ value: '"off"', outcome: 'followed' })
  })

  it('says nothing of an earlier failure while another wish is being done', async () => {
    const { onWish, finish } = handWork()
    const { follower, say } = scene(onWish, { kind: 'value', value: 'live' })
    await Promise.resolve()
    finish(new Error('3 leases are open'))
    await follower.settled()
    expect(follower.whyNot).toBe('3 leases are open')
    say('shadow')
    await Promise.resolve()
    expect(follower.whyNot).toBeUndefined()
    finish()
    await follower.settled()
  })

  it('goes back when the first wish returns while the second one is done', async () => {
    const { done, onWish, finish } = handWork()
    const { follower, say } = scene(onWish, { kind: 'value', value: 'shadow' })
    await Promise.resolve()
    say('live')
    finish()
    await vi.waitFor(() => expect(done).toEqual(['shadow', 'live']))
    say('shadow')
    finish()
    await vi.waitFor(() => expect(done).toEqual(['shadow', 'live', 'shadow']))
    finish()
    await follower.settled()
    expect(follower.lastWish).toBe('shadow')
  })
})

describe('trouble', () => {
  it.each([
    ['a word that is no phase', 'Live', '"Live" is no phase'],
    ['an empty word', '', '"" is no phase'],
    ['an SDK default', null, 'null is no phase'],
    ['an object', { phase: 'live' }, 'a value of type object is no phase'],
    ['a very long word', 'x'.repeat(500), `"${'x'.repeat(60)}" is no phase`],
  ])('refuses %s and keeps the last wish', async (_, value, reason) => {
    const onWish = vi.fn<(wish: Wish) => void>()
    const { follower, told, say } = scene(onWish, { kind: 'value', value: 'shadow' })
    await follower.settled()
    say(value)
    await follower.settled()
    expect(onWish.mock.calls).toEqual([['shadow']])
    expect(told).toHaveLength(2)
    expect(follower.lastWish).toBe('shadow')
    expect(follower.whyNot).toContain(reason)
    expect(follower.lastHeard).toMatchObject({ outcome: 'refused' })
  })

  it('tells that the source is gone, and forgets it when it is back', async () => {
    const { follower, say, silence } = scene(() => {}, { kind: 'value', value: 'old' })
    await follower.settled()
    silence('the stream was cut')
    expect(follower).toMatchObject({
      lastWish: 'old',
      whyNot: 'it is unavailable: the stream was cut',
      lastHeard: { value: 'nothing', outcome: 'unavailable' },
    })
    say('old')
    await follower.settled()
    expect(follower.whyNot).toBeUndefined()
  })

  it.each<[string, FollowOptions['onWish'], string]>([
    ['throws', () => Promise.reject(new Error('3 leases are open')), 'refused'],
    ['declines', () => '3 leases are open', 'ignored'],
  ])('keeps the reason when the work %s, until another wish comes', async (_, fail, outcome) => {
    const work = vi.fn<FollowOptions['onWish']>(fail)
    const { follower, told, say } = scene(work, { kind: 'value', value: 'live' })
    await follower.settled()
    expect(follower).toMatchObject({ whyNot: '3 leases are open', lastHeard: { outcome } })
    say('live')
    await follower.settled()
    expect(work).toHaveBeenCalledOnce()
    work.mockReturnValue(undefined)
    say('shadow')
    await follower.settled()
    say('live')
    await follower.settled()
    expect(follower.whyNot).toBeUndefined()
    expect(told).toEqual([`"live" ${outcome}`, '"shadow" followed', '"live" followed'])
  })

  it('an outage does not try again what has failed; again() does, until it is overruled', async () => {
    const work = vi.fn<FollowOptions['onWish']>(() => Promise.reject(new Error('3 leases are open')))
    const { follower, told, say, silence } = scene(work, { kind: 'value', value: 'live' })
    await follower.settled()
    silence('gone')
    say('live')
    await follower.settled()
    expect([work.mock.calls.length, follower.whyNot]).toEqual([1, '3 leases are open'])
    follower.again()
    await follower.settled()
    follower.overruled()
    follower.again()
    await follower.settled()
    expect(work).toHaveBeenCalledTimes(2)
    expect(told).toEqual(['"live" refused', 'nothing unavailable', '"live" ignored', '"live" refused'])
  })

  it.each<[string, Pick<Source, 'watch'>]>([
    [
      'at once',
      {
        watch: () => {
          throw new Error('no such flag')
        },
      },
    ],
    ['later', { watch: () => Promise.reject(new Error('no such flag')) }],
  ])('a source whose watch fails %s is unavailable', async (_, { watch }) => {
    const events = new CutoverEvents()
    const wish = once(events, 'wish')
    const follower = follow({ name: 'bad', watch, close() {} }, { name: 'orders', events, onWish() {} })
    if (follower.lastHeard === undefined) await wish
    expect(follower.whyNot).toBe('it is unavailable: no such flag')
  })
})

describe('the first wish', () => {
  it('is given as soon as it is heard, garbage before it notwithstanding', async () => {
    const { onWish } = handWork()
    const { follower, say } = scene(onWish)
    const first = follower.firstWish(5_000)
    say('nonsense')
    say('live')
    expect(await first).toBe('live')
    expect(await follower.firstWish(1)).toBe('live')
  })

  it('is waited for no longer than asked', async () => {
    const { follower, silence } = scene(() => {})
    silence('offline')
    await expect(follower.firstWish(5)).rejects.toMatchObject({
      code: 'ERR_PHASE_UNKNOWN',
      message: 'the source "test" named no phase within 5 ms: it is unavailable: offline',
    })
  })

  it('is given up on close', async () => {
    const { follower } = scene(() => {})
    const first = follower.firstWish(60_000)
    await Promise.all([expect(first).rejects.toMatchObject({ code: 'ERR_ENDED' }), follower.close()])
    await expect(follower.firstWish(60_000)).rejects.toMatchObject({ code: 'ERR_ENDED' })
  })
})

describe('close', () => {
  it('waits for the wish that is being done, drops the waiting one and hears nothing more', async () => {
    const { done, onWish, finish } = handWork()
    const { follower, say } = scene(onWish, { kind: 'value', value: 'old' })
    await Promise.resolve()
    say('mirror')
    let closed = false
    const closing = follower.close().then(() => (closed = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(closed).toBe(false)
    finish()
    await closing
    say('live')
    await follower.settled()
    expect(done).toEqual(['old'])
    expect(follower.lastWish).toBe('mirror')
  })

  it('closes the source, and survives one that cannot be closed', async () => {
    const source = memorySource('old')
    const done: Wish[] = []
    const options = {
      name: 'orders',
      events: new CutoverEvents(),
      onWish: (wish: Wish) => void done.push(wish),
    }
    const follower = follow(source, options)
    await follower.settled()
    await follower.close()
    source.set('live')
    expect(done).toEqual(['old'])
    const stuck = follow({ name: 'stuck', watch() {}, close: () => Promise.reject(new Error('no')) }, options)
    await stuck.close()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const silent = follow({ name: 'silent', watch() {}, close: () => new Promise(() => {}) }, options)
    const closing = silent.close()
    await vi.advanceTimersByTimeAsync(5_000)
    await closing
    vi.useRealTimers()
  })
})
