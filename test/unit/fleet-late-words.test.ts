// What a member believes of words that come late, and of a side that does not answer at all.
import { expect, it, vi } from 'vitest'
import { CutoverError } from '../../src/errors.js'
import { Doubt } from '../../src/fleet/doubt.js'
import { CallFollower } from '../../src/fleet/follow-call.js'
import type { MemberHome } from '../../src/fleet/member-home.js'
import type { Call } from '../../src/fleet/words.js'
import type { PoolCore } from '../../src/pool/pool-core.js'
import type { SideRow } from '../../src/control/side-row.js'

const ROW: SideRow = {
  side: 'old',
  epoch: 3,
  status: 'writer',
  opened: 3,
  reverseLsn: undefined,
  phase: 'shadow',
  target: undefined,
}
const ASKED: Call = {
  attempt: 'one',
  epoch: 4,
  stage: 'stop-reads',
  coordinator: 'somebody',
  target: 'live',
  tables: [],
  outcome: undefined,
  reason: undefined,
}

function follow() {
  const said: string[] = []
  const held = vi.fn()
  const core = {
    side: 'old',
    state: { kind: 'direct' },
    arm: () => Promise.resolve(),
    hold: vi.fn(),
    drain: () => Promise.resolve(),
    stopReads: vi.fn(() => Promise.resolve()),
    release: vi.fn(),
  }
  const timings = { prepareTimeoutMillis: 60_000, holdTimeoutMillis: 1, drainTimeoutMillis: 1 }
  const follower = new CallFollower({
    home: { core, m: { timings } } as unknown as MemberHome,
    joinAhead: () => Promise.resolve(),
    answer: (_, word) => Promise.resolve(said.push(word)),
    settle: () => Promise.resolve('old'),
    confirmed: () => true,
    held,
  })
  return { follower, said, core, held }
}

it('takes an answer for stale that was asked for before the last thing that it did for a coordinator', async () => {
  const { follower, said } = follow()
  const before = performance.now()
  expect(follower.isStale(before)).toBe(false)
  follower.consider({ ...ROW, status: 'fenced', epoch: 4 }, ASKED)
  await vi.waitFor(() => expect(said).toEqual(['stopped']))
  // The row said `writer` and nobody had asked for anything when that was read.
  expect(follower.isStale(before)).toBe(true)
  expect(follower.isStale(performance.now())).toBe(false)
})

it('does at a word what the attempt asks for that it has got ready for, and asks the side about anything else', async () => {
  const { follower, said, core, held } = follow()
  expect(follower.told('call hold one')).toBe(false)
  follower.consider(ROW, { ...ASKED, stage: 'arm' })
  await vi.waitFor(() => expect(said).toEqual(['armed']))
  for (const word of ['call hold another', 'call over one', 'call hold', 'call arm one', 'old fenced 4'])
    expect(follower.told(word)).toBe(false)
  expect(core.hold).not.toHaveBeenCalled()

  const before = performance.now()
  expect(follower.told('call hold one')).toBe(true)
  expect([core.hold.mock.calls.length, held.mock.calls.length, follower.isStale(before)]).toEqual([
    1,
    1,
    true,
  ])
  await vi.waitFor(() => expect(said).toEqual(['armed', 'drained']))
  expect(core.stopReads).not.toHaveBeenCalled()
  expect(follower.told('call stop-reads one')).toBe(true)
  expect(core.stopReads).toHaveBeenCalledOnce()
  await vi.waitFor(() => expect(said).toEqual(['armed', 'drained', 'stopped']))
  // Once more, as by a look that comes late.
  follower.consider({ ...ROW, status: 'fenced', epoch: 4 }, ASKED)
  expect([core.hold.mock.calls.length, core.stopReads.mock.calls.length]).toEqual([1, 1])

  follower.consider(ROW, { ...ASKED, stage: 'over' })
  expect(core.release).toHaveBeenCalledOnce()
  expect(follower.told('call hold one')).toBe(false)
})

it('has calls fail as the last connection did where a side is down, and sends it none', () => {
  const doubt = new Doubt({
    core: { inner: { totalCount: 0 }, state: { kind: 'direct' } } as unknown as PoolCore,
    holdTimeoutMillis: 1,
    confirmed: () => false,
    ask: () => Promise.reject(new Error('not asked')),
    heard: () => {},
    settle: () => Promise.resolve('old'),
    begun: () => {},
  })
  const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  doubt.failed(new CutoverError('ERR_UNREACHABLE', 'the old database could not be reached', { cause }))
  expect(doubt.verdict()).toBe(cause)
})
