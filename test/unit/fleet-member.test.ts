// What a member asks of its servers at rest, by a clock that the test moves.
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { ControlConnection, Row } from '../../src/control/control-connection.js'
import { FleetMember } from '../../src/fleet/member.js'
import { memberIdentity } from '../../src/fleet/member-state.js'
import type { Side } from '../../src/phase/phases.js'
import type { PoolCore } from '../../src/pool/pool-core.js'
import { plainMigration } from '../support/plain-migration.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const ROW: Row = { epoch: '0', status: 'writer', opened: '0', reverse_lsn: null, phase: 'old', target: null }

/** Knows the migration and has a roster, in which everybody is. */
function answering(side: Side, said: string[]): ControlConnection {
  const connection = {
    side,
    address: side,
    run: (text: string) => {
      said.push(text)
      return Promise.resolve([{ roster: true, rows: true, listed: true, identity: side, ...ROW }])
    },
    fork: () => connection,
    close: () => Promise.resolve(),
  }
  return connection as unknown as ControlConnection
}

it('says fewer than five statements a second at rest, to both sides together', async () => {
  const said: string[] = []
  const control = { old: answering('old', said), new: answering('new', said) }
  const pool = { leased: () => [], inFlight: 0 }
  const core = {
    side: 'old',
    state: { kind: 'direct', side: 'old' },
    backends: () => [],
    pools: { old: pool, new: pool },
  } as unknown as PoolCore
  const member = new FleetMember(
    {
      m: plainMigration('rest', control, { members: 'barrier' }),
      core,
      phase: 'old',
      epoch: 0,
      moving: false,
      rest: () => {},
      settle: () => Promise.resolve(undefined),
    },
    memberIdentity('orders'),
  )
  member.watch()
  await vi.advanceTimersByTimeAsync(2_000)
  said.length = 0
  await vi.advanceTimersByTimeAsync(10_000)
  expect(member.confirmation.millis).toBeGreaterThan(1_000)
  expect(said.length).toBeGreaterThanOrEqual(19)
  expect(said.length).toBeLessThan(50)
  await member.close()
})
