// Every failure before the point of no return leads back: the writer is the one it was, and it takes writes at once.
import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { CONTROL_APPLICATION } from '../../../src/control/names.js'
import { abort, readSide } from '../../../src/control/side-row.js'
import { beginMirror } from '../../../src/coordinator/begin-mirror.js'
import { changeWriter } from '../../../src/coordinator/coordinator.js'
import { recover } from '../../../src/coordinator/recover.js'
import { ensureStandingTriggers } from '../../../src/coordinator/fence-triggers.js'
import type { CutoverEvent } from '../../../src/events.js'
import type { Side } from '../../../src/phase/phases.js'
import { noGate } from '../../../src/pool/gate.js'
import type { Gate, HoldLease } from '../../../src/pool/gate.js'
import { protocolFixture } from '../protocol/fixture.js'
import type { ProtocolFixture, ProtocolOptions } from '../protocol/fixture.js'

const SCHEMA = `
  create table public.account (id int primary key, balance int not null);
  insert into public.account values (1, 100), (2, 200);
`

let f: ProtocolFixture
let released: Side[] = []
let lease: HoldLease | undefined

afterEach(async () => {
  lease = undefined
  released = []
  await f.drop()
})

/** A process without traffic that notes where it was let go. */
const notingGate = (): Gate => ({
  ...noGate(() => 'old'),
  hold: (given) => {
    lease = given
  },
  disarm: () => void released.push('old'),
  release: (side) => {
    released.push(side)
    return { held: 0, longestHeldMillis: 0, pauseMillis: 1 }
  },
})

async function begun(options: Partial<ProtocolOptions> = {}): Promise<void> {
  f = await protocolFixture({ schema: SCHEMA, gate: notingGate(), ...options })
  if (f.m.mirror === 'none') await ensureStandingTriggers(f.m, 'new', performance.now() + 5_000)
}

/** Does something at the very moment at which a step begins or ends. */
function at(step: string, state: 'started' | 'done', act: () => Promise<unknown> | void): Promise<unknown> {
  return new Promise((resolve, reject) => {
    f.m.events.on('step', (event) => {
      if (event.step === step && event.state === state) Promise.resolve(act()).then(resolve, reject)
    })
  })
}

const hold = async (client: pg.Client, statement: string): Promise<() => Promise<unknown>> => {
  await client.query(`begin; ${statement}`)
  return () => client.query('commit')
}

async function expectWayBack(from: Side = 'old'): Promise<void> {
  expect(released).toEqual([from])
  expect(await readSide(f.m.control[from], f.m.name)).toMatchObject({ status: 'writer' })
  const app = await f.app(from)
  expect((await app.query('update account set balance = balance + 1 where id = 1')).rowCount).toBe(1)
  const shut = await f.app(from === 'old' ? 'new' : 'old')
  await expect(shut.query('update account set balance = 0')).rejects.toMatchObject({ code: '25006' })
  expect((await recover(f.m)).done).toEqual([])
}

describe('a transaction that is open at the drain’s deadline', () => {
  it('aborts the attempt, is named, and is left alone', async () => {
    await begun({ timings: { drainTimeoutMillis: 300 } })
    const app = await f.app('old', { application_name: 'nightly report' })
    let end: (() => Promise<unknown>) | undefined
    const outcome: CutoverEvent[] = []
    f.m.events.on('cutover', (event) => outcome.push(event))
    // After the look at old work and before the hold.
    f.m.gate.arm = async () => {
      end = await hold(app, `select 'secret'`)
    }
    const error = await changeWriter(f.m, 'new', 'live').catch((failure: unknown) => failure)
    expect(error).toMatchObject({
      code: 'ERR_DRAIN_TIMEOUT',
      message: expect.stringMatching(
        /"nightly report" pid \d+ from 127\.0\.0\.1:\d+, idle in transaction, query started 20.*, transaction started 20/,
      ),
    })
    expect(String(error)).not.toContain('secret')
    expect(outcome).toMatchObject([{ outcome: 'aborted', direction: 'old→new' }])
    await expectWayBack()
    await end?.()
  })

  it('is ended where that was asked for, and the change goes through', async () => {
    await begun({ timings: { drainTimeoutMillis: 600 } })
    const app = await f.app('old')
    const lost = new Promise((resolve) => app.once('error', resolve))
    f.m.gate.arm = async () => void (await hold(app, `insert into account values (3, 3)`))
    await changeWriter({ ...f.m, onDrainTimeout: 'cancel' }, 'new', 'live')
    expect(await lost).toMatchObject({ code: '57P01' })
    expect(released).toEqual(['new'])
  })
})

describe('before anybody waits, the attempt is refused', () => {
  it('over a transaction older than half a second, by name', async () => {
    await begun({ timings: { prepareTimeoutMillis: 1_500 } })
    const end = await hold(await f.app('old', { application_name: 'forgotten' }), `select 1`)
    await until(
      `select from pg_stat_activity where application_name = 'forgotten' and xact_start < clock_timestamp() - interval '500 ms'`,
    )
    await expect(changeWriter(f.m, 'new', 'live')).rejects.toMatchObject({
      code: 'ERR_PREPARE',
      message: expect.stringContaining('"forgotten"'),
    })
    expect(lease).toBeUndefined()
    await end()
    await expectWayBack()
  })

  it.each([
    ['a manual VACUUM', 'vacuum public.big', /a vacuum on public.big|vacuum/],
    [
      'a CREATE INDEX CONCURRENTLY',
      'create index concurrently big_id on public.big (id)',
      /CREATE INDEX CONCURRENTLY on public.big/,
    ],
  ])('over %s on a table in scope', async (_, maintenance, said) => {
    await begun({ timings: { prepareTimeoutMillis: 2_000 } })
    const { run } = f.m.control.old
    await run(
      `create table public.big as select generate_series(1, 50000) as id; alter table public.big add primary key (id)`,
    )
    await f.m.control.new.run(`create table public.big (id int primary key)`)
    await run('delete from public.big where id % 2 = 0')
    const worker = f.m.control.old.fork({ statementTimeoutMillis: 20_000 })
    // Index builds wait for snapshots like this one; vacuums are made slow.
    const snapshot = await f.app('old', { application_name: 'pg-cutover stand-in' })
    const end = async (): Promise<void> => {
      await run(`select pg_cancel_backend(pid) from pg_stat_activity where application_name = 'admin'`)
      await snapshot.query('rollback')
    }
    try {
      await worker.run(
        `select set_config('vacuum_cost_delay', '100', false), set_config('vacuum_cost_limit', '1', false), set_config('application_name', 'admin', false)`,
      )
      await snapshot.query('begin isolation level repeatable read; select 1')
      const working = worker.run(maintenance).catch(() => {})
      await until(
        `select from pg_locks where relation = 'public.big'::regclass and mode = 'ShareUpdateExclusiveLock' and granted`,
      )
      await expect(changeWriter(f.m, 'new', 'live')).rejects.toMatchObject({
        code: 'ERR_PREPARE',
        message: expect.stringMatching(said),
      })
      await end()
      await working
      await expectWayBack()
    } finally {
      await end()
      await worker.close()
    }
  })
})

describe('a lock that the fence does not get', () => {
  it('aborts the attempt; the next one succeeds once the lock is free', async () => {
    await begun({ timings: { fenceTimeoutMillis: 400 }, attempts: 2 })
    // Seen by the fence alone, as a writer would be that began after the drain.
    const app = await f.app('old', { application_name: 'pg-cutover stand-in' })
    let end: (() => Promise<unknown>) | undefined
    f.m.gate.arm = async () => {
      end ??= await hold(app, `insert into account values (3, 3)`)
    }
    const reasons: (string | undefined)[] = []
    let ended: Promise<unknown> | undefined
    f.m.events.on('cutover', ({ reason }) => {
      reasons.push(reason)
      ended ??= end?.()
    })
    const event = await changeWriter(f.m, 'new', 'live')
    await ended
    expect(event.outcome).toBe('done')
    expect(released).toEqual(['old', 'new'])
    expect(reasons).toEqual([expect.stringContaining('in its way: "pg-cutover stand-in" pid'), undefined])
  })
})

it('another process’s abort between fence and decide ends the attempt', async () => {
  await begun()
  const aborted = at('stop-reads', 'started', () => abort(f.m.control.old, f.m.name, 1))
  f.m.gate.stopReads = async () => void (await aborted)
  await expect(changeWriter(f.m, 'new', 'live')).rejects.toMatchObject({ code: 'ERR_ABORTED' })
  await expectWayBack()
  expect(await readSide(f.m.control.old, f.m.name)).toMatchObject({ epoch: 1, opened: 1 })
})

describe('the end of the hold', () => {
  it.each(['drain', 'fence', 'catch-up', 'stop-reads'])(
    'at "%s" leads back, and no fence follows',
    async (step) => {
      await begun()
      const ended = at(step, 'started', async () => expect(await lease?.ended()).toBe('old'))
      const error = await changeWriter(f.m, 'new', 'live').catch((failure: unknown) => failure)
      await ended
      expect(error).toMatchObject({ code: expect.stringMatching(/ERR_(HOLD_TIMEOUT|ABORTED|RIVAL)/) })
      await expectWayBack()
    },
  )

  it('while the fence waits for a lock uses its epoch up, before anything is let go', async () => {
    await begun()
    const app = await f.app('old', { application_name: 'pg-cutover stand-in' })
    let end: (() => Promise<unknown>) | undefined
    f.m.gate.arm = async () => {
      end = await hold(app, `insert into account values (3, 3)`)
    }
    const ended = at('fence', 'started', async () => {
      await until(`select from pg_locks where not granted and relation = 'public.account'::regclass`)
      const side = lease?.ended()
      await end?.()
      expect(await side).toBe('old')
      // Now traffic goes on: whatever is still to come of the fence must find no row.
      expect(await readSide(f.m.control.old, f.m.name)).toMatchObject({ status: 'writer', epoch: 1 })
    })
    await expect(changeWriter(f.m, 'new', 'live')).rejects.toMatchObject({ name: 'CutoverError' })
    await ended
    await expectWayBack()
  })

  it('after the decision leads forward', async () => {
    await begun()
    const ended = at('decide', 'done', async () => expect(await lease?.ended()).toBe('new'))
    expect((await changeWriter(f.m, 'new', 'live')).outcome).toBe('done')
    await ended
    expect(released).toEqual(['new'])
  })

  it('comes by itself where a step stalls for longer', async () => {
    await begun({ timings: { holdTimeoutMillis: 400 } })
    f.m.gate.stopReads = () => new Promise(() => {})
    const began = performance.now()
    await expect(changeWriter(f.m, 'new', 'live')).rejects.toMatchObject({ code: 'ERR_HOLD_TIMEOUT' })
    expect(performance.now() - began).toBeLessThan(5_000)
    await expectWayBack()
  })
})

it('a process of ours that stalls with the row of the opened side locked is sent away, not waited for', async () => {
  await begun()
  const stalled = await f.app('new', { application_name: CONTROL_APPLICATION })
  await f.both(`grant usage on schema cutover to public; grant select, update on cutover.side to public`)
  const gone = new Promise((resolve) => stalled.once('error', resolve))
  f.m.gate.arm = async () =>
    void (await stalled.query('begin; select from cutover.side where name = current_database() for share'))
  const event = await changeWriter(f.m, 'new', 'live')
  expect(event.outcome).toBe('done')
  expect(event.steps['open']).toBeLessThan(2_000)
  expect(await gone).toMatchObject({ code: '57P01' })
})

describe('the mirror', () => {
  it('that does not catch up in time leads back', async () => {
    await begunEmpty()
    const client = await f.app('new')
    f.m.gate.arm = async () => {
      await client.query('begin; lock table account in share mode')
      await f.m.control.old.run('update public.account set balance = 7')
    }
    await expect(changeWriter(f.m, 'new', 'live')).rejects.toMatchObject({ code: 'ERR_CATCH_UP_TIMEOUT' })
    await client.query('rollback')
    await expectWayBack()
  })

  it('that fails to apply a change leads back at once', async () => {
    await begunEmpty({ timings: { catchUpTimeoutMillis: 4_000, holdTimeoutMillis: 8_000 } })
    // A row that nobody may have written there collides with the one that comes.
    const collided = at('drain', 'started', () =>
      f.m.control.new.transaction(async (run) => {
        await run(`set local session_replication_role = replica`)
        await run(`insert into public.account values (9, 9)`)
      }),
    )
    f.m.gate.drain = async () => {
      await collided
      await f.m.control.old.run('insert into public.account values (9, 1)')
    }
    await expect(changeWriter(f.m, 'new', 'live')).rejects.toMatchObject({
      code: 'ERR_CATCH_UP_TIMEOUT',
      message: expect.stringContaining('failed to apply'),
    })
    await expectWayBack()
  })

  /** The copy wants an empty table on the other side. */
  async function begunEmpty(options: Partial<ProtocolOptions> = {}): Promise<void> {
    await begun({
      mirror: 'replication',
      timings: { catchUpTimeoutMillis: 500 },
      schema: `create table public.account (id int primary key, balance int not null)`,
      ...options,
    })
    await f.m.control.old.run('insert into public.account values (1, 100), (2, 200)')
    await beginMirror(f.m, 'old', 'old')
  }
})

async function until(query: string): Promise<void> {
  while ((await f.m.control.old.run(query)).length === 0) await delay(5)
}
