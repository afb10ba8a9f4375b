// The fence: from its grant on the database itself refuses writes, whoever writes and however; and it gives way in time.
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { abort, decide, open, readSide } from '../../../src/control/side-row.js'
import type { Attempt } from '../../../src/coordinator/attempt.js'
import { closeFence } from '../../../src/coordinator/fence.js'
import { ensureNextTriggers, removeLiftedTriggers } from '../../../src/coordinator/fence-triggers.js'
import { FENCE_MESSAGE_PREFIX } from '../../../src/control/schema.js'
import { preparedAttempt, protocolFixture, WIDE, withAttempt } from './fixture.js'
import type { ProtocolFixture } from './fixture.js'

const SCHEMA = `
  create table public.account (id int primary key, balance int not null);
  insert into public.account values (1, 100), (2, 200);
  create table public.event (id int, day date not null, primary key (id, day)) partition by range (day);
  create table public.event_2026 partition of public.event for values from ('2026-01-01') to ('2027-01-01');
  create table public.base (id int primary key);
  create table public.derived () inherits (public.base);
  create function public.pay(int) returns void language sql as 'update public.account set balance = balance - 1 where id = $1';
`

const WRITES = [
  ['insert', `insert into account values (3, 300)`],
  ['insert … on conflict', `insert into account values (1, 1) on conflict (id) do update set balance = 0`],
  ['update', `update account set balance = 0`],
  ['update of no row', `update account set balance = 0 where id = 99`],
  ['delete', `delete from account`],
  ['truncate', `truncate account`],
  ['a data-modifying CTE', `with x as (delete from account returning *) select * from x`],
  ['a function', `select pay(1)`],
  ['DO', `do $$ begin update account set balance = 0; end $$`],
  ['a read-write transaction that insists', `begin read write; update account set balance = 0; commit`],
  ['a partition’s root', `insert into event values (1, '2026-05-05')`],
  ['a partition itself', `insert into event_2026 values (1, '2026-05-05')`],
  ['an inheritance parent', `insert into base values (1)`],
  ['an inheritance child', `insert into derived values (1)`],
  ['COPY', `copy account from program 'echo 4'`],
] as const

let f: ProtocolFixture

beforeEach(async () => {
  f = await protocolFixture({ schema: SCHEMA })
})
afterEach(() => f.drop())

const contents = async (side: 'old' | 'new'): Promise<unknown> =>
  f.m.control[side].run(
    `select (select json_agg(a order by id) from public.account a) as accounts,
            (select count(*)::int from public.event) as events, (select count(*)::int from public.base) as bases`,
  )

/** What each write does on a side, as the superuser: the fence asks nobody who he is. */
async function tryWrites(side: 'old' | 'new', epoch: number): Promise<void> {
  const before = await contents(side)
  for (const [, write] of WRITES) {
    const outcome = await f.m.control[side]
      .run(write.replaceAll(/(?<=[ (])(account|event|base|derived|pay)/g, 'public.$1'))
      .then(
        () => 'accepted',
        (error: unknown) => error,
      )
    await f.m.control[side].run('rollback')
    expect(outcome, write).toMatchObject({
      code: '25006',
      message: `${FENCE_MESSAGE_PREFIX}"${f.m.name}" epoch ${epoch}`,
      hint: expect.stringContaining('other database'),
    })
  }
  expect(await contents(side)).toEqual(before)
}

it('every kind of write is refused on the side that is fenced, and on the mirror; reads go on', async () => {
  await withAttempt(f.m, 'old', async (a) => {
    await tryWrites('new', 1)
    await closeFence(a)
    await tryWrites('old', 1)
    await tryWrites('new', 1)
    await decide(a.left, f.m.name, 1, undefined)
    await tryWrites('old', 1)
    await tryWrites('new', 1)
    const app = await f.app('old')
    expect((await app.query('select count(*)::int as n from account')).rows).toEqual([{ n: 2 }])
  })
})

it('an abort reopens the side that was fenced, with its triggers still standing', async () => {
  await withAttempt(f.m, 'old', async (a) => {
    await closeFence(a)
    expect(await abort(a.rescue.old, f.m.name, 1)).toBe(true)
    const app = await f.app('old')
    await app.query('update account set balance = balance + 1 where id = 1')
    await tryWrites('new', 1)
  })
  await removeLiftedTriggers(f.m, 'old')
  const left = await f.m.control.old.run(
    `select from pg_trigger where tgfoid = 'cutover.fence()'::regprocedure`,
  )
  expect(left).toEqual([])
})

it('there and back: at each rest one side takes writes and the other refuses them', async () => {
  for (const from of ['old', 'new', 'old', 'new'] as const) {
    await withAttempt(f.m, from, async (a) => {
      await closeFence(a)
      await decide(a.left, f.m.name, a.epoch, undefined)
      const moved = await readSide(a.left, f.m.name)
      if (!moved) throw new Error('no row')
      await open(a.opening, f.m.name, moved)
      await f.m.control[a.to].run('update public.account set balance = balance + 1')
      await tryWrites(from, a.epoch)
    })
  }
})

it('closes on another connection where that of the preparation was lost', async () => {
  await withAttempt(f.m, 'old', async (a) => {
    const [lost] = await a.left.run<{ pid: number }>('select pg_backend_pid() as pid')
    await f.m.control.old.run('select pg_terminate_backend($1)', [lost?.pid])
    await expect.poll(() => a.left.run('select').catch(() => 'lost')).not.toBe('lost')
    await closeFence(a)
    await tryWrites('old', a.epoch)
  })
})

describe('a transaction of the application', () => {
  it('that has written is waited for, and its row is there when the fence stands', async () => {
    await withAttempt(f.m, 'old', async (a) => {
      const app = await f.app('old')
      await app.query('begin; insert into account values (3, 300)')
      const fenced = closeFence(a)
      await waitingForLock(f, 'account')
      expect((await readSide(f.m.control.old, f.m.name))?.status).toBe('writer')
      await app.query('commit')
      await fenced
      expect((await app.query('select from account where id = 3')).rowCount).toBe(1)
    })
  })

  it('that does not end makes the fence give way: nothing changed, and the fence may come again', async () => {
    await withAttempt(f.m, 'old', async (a) => {
      const [holder, other] = [await f.app('old'), await f.app('old')]
      await holder.query('begin; insert into account values (3, 300)')
      await expect(closeFence({ ...a, m: quick(f) })).rejects.toMatchObject({ code: 'ERR_FENCE' })
      expect(await readSide(f.m.control.old, f.m.name)).toMatchObject({ status: 'writer', epoch: 0 })
      await other.query('insert into account values (4, 400)')
      await holder.query('commit')
      await closeFence(a)
      expect(await contents('old')).toMatchObject([{ accounts: { length: 4 } }])
    })
  })

  it('with a snapshot older than the grant is refused on both sides: on the one left, and on the one opened', async () => {
    const [left, opened] = [await f.app('old'), await f.app('new')]
    await withAttempt(f.m, 'old', async (a) => {
      for (const client of [left, opened])
        await client.query('begin isolation level repeatable read; select from account')
      await closeFence(a)
      await decide(a.left, f.m.name, 1, undefined)
      const moved = await readSide(a.left, f.m.name)
      if (!moved) throw new Error('no row')
      await open(a.opening, f.m.name, moved)
      for (const client of [left, opened]) {
        await expect(client.query('update account set balance = 0')).rejects.toMatchObject({ code: '25006' })
        await client.query('rollback')
      }
      await opened.query('update account set balance = 7')
      await expect(left.query('update account set balance = 7')).rejects.toMatchObject({ code: '25006' })
    })
  })

  it.each([
    ['at once', 0],
    ['after a while', 100],
  ])('that meets the fence in a deadlock, %s, is spared: the fence is the victim', async (_, millis) => {
    await withAttempt(f.m, 'old', async (a) => {
      const app = await f.app('old')
      // The fence locks account before derived, this one derived before account.
      await app.query('begin; insert into derived values (1)')
      const fenced = closeFence(a)
      fenced.catch(() => {})
      await waitingForLock(f, 'derived', millis)
      await app.query('update account set balance = 1 where id = 1; commit')
      await expect(fenced).rejects.toMatchObject({ code: 'ERR_FENCE' })
      expect(await readSide(f.m.control.old, f.m.name)).toMatchObject({ status: 'writer' })
    })
  })
})

it('an apply worker and a copy pass the fence, since they act as a replica', async () => {
  await withAttempt(f.m, 'old', async (a) => {
    await closeFence(a)
    for (const side of ['old', 'new'] as const)
      await f.m.control[side].transaction(async (run) => {
        await run(`set local session_replication_role = replica`)
        await run(`update public.account set balance = 5 where id = 1`)
      })
  })
})

describe('the fence fails, with everything as it was,', () => {
  it.each([
    [
      'after a partition was made',
      `create table public.event_2027 partition of public.event for values from ('2027-01-01') to ('2028-01-01')`,
      'made or dropped',
    ],
    [
      'after an inheritance child was made',
      `create table public.derived_2 () inherits (public.base)`,
      'made or dropped',
    ],
    ['after a table was made', `create table public.late (id int primary key)`, 'made or dropped'],
    ['after a table was dropped', `drop table public.derived`, 'does not exist'],
    ['after a trigger was dropped', `drop trigger "TRIGGER" on public.event_2026`, 'no trigger'],
    [
      'while a prepared transaction is in doubt',
      `begin; create table public.doubt (); prepare transaction 'doubt_DB'`,
      'in doubt',
    ],
  ])('%s', async (_, change, reason) => {
    await withAttempt(f.m, 'old', async (a) => {
      const trigger = `cutover_fence_${f.m.name}_1`
      await f.m.control.old.run(change.replace('TRIGGER', trigger).replace('DB', f.m.name))
      try {
        await expect(closeFence(a)).rejects.toMatchObject({
          code: 'ERR_FENCE',
          message: expect.stringContaining(reason),
        })
        expect(a.fence).toBe('none')
        expect(await readSide(f.m.control.old, f.m.name)).toMatchObject({ status: 'writer', epoch: 0 })
        await f.m.control.old.run('update public.account set balance = 1')
      } finally {
        if (change.includes('prepare')) await f.m.control.old.run(`rollback prepared 'doubt_${f.m.name}'`)
      }
    })
  })

  it('when its locks are granted after its deadline by the server’s clock', async () => {
    await withAttempt(f.m, 'old', async (a) => {
      const late: Attempt = {
        ...a,
        hold: { began: 0, ends: performance.now() + WIDE, serverEnds: Date.now() - 1 },
      }
      await expect(closeFence(late)).rejects.toMatchObject({ message: expect.stringContaining('deadline') })
      expect(await readSide(f.m.control.old, f.m.name)).toMatchObject({ status: 'writer', epoch: 0 })
    })
  })

  it.each([
    ['of an epoch that was aborted before it came', async () => abort(f.m.control.old, f.m.name, 1)],
    [
      'of an epoch that a rival has fenced',
      async () => withAttempt(f.m, 'old', async (rival) => closeFence(rival)),
    ],
  ])('%s', async (_, meanwhile) => {
    await withAttempt(f.m, 'old', async (a) => {
      await meanwhile()
      const before = await readSide(f.m.control.old, f.m.name)
      await expect(closeFence(a)).rejects.toMatchObject({ code: 'ERR_RIVAL' })
      expect(await readSide(f.m.control.old, f.m.name)).toEqual(before)
    })
  })
})

describe('a late preparation', () => {
  it('cannot lift the standing fence of its epoch, before or after the move', async () => {
    const late = await preparedAttempt(f.m, 'old')
    try {
      await withAttempt(f.m, 'old', async (a) => {
        await closeFence(a)
        // It has read its row long ago, finds the triggers not as it wants them, and goes to work.
        await expect(prepareAgain(late)).rejects.toMatchObject({ code: 'ERR_RIVAL' })
        await tryWrites('old', 1)
        await decide(a.left, f.m.name, 1, undefined)
        await expect(prepareAgain(late)).rejects.toMatchObject({ code: 'ERR_RIVAL' })
        await tryWrites('old', 1)
      })
    } finally {
      await Promise.all([late.left, late.opening, late.rescue.old, late.rescue.new].map((one) => one.close()))
    }
  })

  const prepareAgain = (a: Attempt): Promise<void> =>
    ensureNextTriggers(f.m, 'old', a.epoch, a.scope, performance.now() + WIDE)

  it('never lets a writer meet a trigger of the next epoch', async () => {
    const writer = await f.app('old')
    const stop = new AbortController()
    let written = 0
    const writing = (async () => {
      while (!stop.signal.aborted) {
        await writer.query('update account set balance = balance + 1 where id = 1')
        written++
      }
    })()
    for (let epoch = 1; epoch <= 5; epoch++) {
      await withAttempt(f.m, 'old', async () => {})
      await abort(f.m.control.old, f.m.name, epoch)
    }
    stop.abort()
    await writing
    expect(written).toBeGreaterThan(0)
  })
})

/** Shorter than what the holder of a lock takes. */
const quick = ({ m }: ProtocolFixture): ProtocolFixture['m'] => ({
  ...m,
  timings: { ...m.timings, fenceTimeoutMillis: 300 },
})

/** Resolves when somebody has waited so long for a lock on the table. */
async function waitingForLock({ m }: ProtocolFixture, table: string, millis = 0): Promise<void> {
  for (;;) {
    const waiting = await m.control.old.run(
      `select from pg_locks where not granted and relation = $1::regclass
          and waitstart <= clock_timestamp() - $2::int * interval '1 ms'`,
      [`public.${table}`, millis],
    )
    if (waiting.length > 0) return
    await delay(3)
  }
}
