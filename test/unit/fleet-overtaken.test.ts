// A member asks over two connections: an answer that was overtaken by a later one changes nothing.
import { expect, it, vi } from 'vitest'
import type { ControlConnection, Row } from '../../src/control/control-connection.js'
import { FleetMember } from '../../src/fleet/member.js'
import { memberIdentity } from '../../src/fleet/member-state.js'
import type { PoolCore } from '../../src/pool/pool-core.js'
import { plainMigration } from '../support/plain-migration.js'

const row = (phase: string): Row => ({
  roster: true,
  listed: true,
  identity: 'old',
  epoch: '0',
  status: 'writer',
  opened: '0',
  reverse_lsn: null,
  phase,
  target: null,
})

it('goes by the later one of two answers that came in the wrong order', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  try {
    const own: ((rows: Row[]) => void)[] = []
    const pooled: ((answer: { rows: Row[] }) => void)[] = []
    const connection = {
      side: 'old',
      run: (text: string) =>
        text.includes('with mine')
          ? new Promise<Row[]>((resolve) => own.push(resolve))
          : Promise.resolve([row('old')]),
      fork: () => connection,
      close: () => Promise.resolve(),
    }
    const control = connection as unknown as ControlConnection
    const client = {
      query: () => new Promise<{ rows: Row[] }>((resolve) => pooled.push(resolve)),
      release: () => {},
    }
    const pool = {
      leased: () => [],
      inFlight: 0,
      inner: { totalCount: 1, connect: () => Promise.resolve(client) },
    }
    const core = {
      side: 'old',
      state: { kind: 'direct', side: 'old' },
      backends: () => [],
      pools: { old: pool, new: pool },
      inner: pool.inner,
    }
    const rested: (string | undefined)[] = []
    const member = new FleetMember(
      {
        m: plainMigration('overtaken', { old: control, new: control }, { members: 'barrier' }),
        core: core as unknown as PoolCore,
        phase: 'old',
        epoch: 0,
        moving: false,
        rest: ({ phase }) => void rested.push(phase),
        settle: () => Promise.resolve(undefined),
      },
      memberIdentity('orders'),
    )
    member.watch()
    await vi.waitFor(() => expect(own).toHaveLength(1))
    own.shift()?.([row('old')])
    // The next one hangs, so the pool is asked too; its answer is on the way for longer.
    await vi.advanceTimersByTimeAsync(500)
    expect(own).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(750)
    expect(pooled).toHaveLength(1)
    own.shift()?.([row('shadow')])
    await vi.advanceTimersByTimeAsync(10)
    expect(rested).toEqual(['shadow'])
    pooled.shift()?.({ rows: [row('live')] })
    await vi.advanceTimersByTimeAsync(10)
    expect(rested).toEqual(['shadow'])
    // It is asked again at once.
    expect(own).toHaveLength(1)
    const closed = member.close()
    for (let answer = own.shift(); answer; answer = own.shift()) answer([row('shadow')])
    await vi.advanceTimersByTimeAsync(1_000)
    await closed
  } finally {
    vi.useRealTimers()
  }
})
