// What becomes of an answer that differs, and of one that does not, without a mirror that could be behind.
import { describe, expect, it } from 'vitest'
import { memorySource, type SampledCall, type Sampler } from '../../../src/index.js'
import type { Mismatch, Outcome } from '../../../src/shadow/report.js'
import { comparedSides, mismatch, until } from './fixture.js'

const s = await comparedSides(`
  create table item (id int primary key, kind text not null, n int not null);
  insert into item select i, 'k' || i % 3, i % 10 from generate_series(1, 50) i;
  create table tag (item int, name text);
  insert into tag values (1, 'b'), (1, 'a'), (2, 'c');
  create table only_here (id int primary key);
  create table hot (id int primary key, n int not null);
  insert into hot values (1, 0);
  create schema aside create table apart (id int);
  create view clock as select now() as at;
  create function told() returns int immutable language plpgsql as 'begin return 3; end'`)
await s.on.new.query(`
  update item set n = 99 where id = 7;
  truncate tag;
  insert into tag values (2, 'c'), (1, 'a'), (1, 'b');
  drop table only_here;
  create or replace function told() returns int immutable language plpgsql as
    $$ begin perform pg_notify('told', ''); return 3; end $$`)

/** Without a mirror the other side is given this time before it is asked again. */
const EVERY = { rate: 1, perMinute: 0, lagTimeoutMillis: 1 }

describe('an answer', () => {
  it.each<[string, string, readonly unknown[], Outcome, string]>([
    ['that is equal', 'select * from item where id = $1', [3], 'equal', ''],
    ['in another sequence that nobody asked for', 'select name from tag', [], 'equal', ''],
    ['with another row', 'select * from item where id = $1', [7], 'real', 'of 1 row'],
    [
      'from a table that is not there',
      'select * from only_here',
      [],
      'real',
      'the new side refuses it with 42P01',
    ],
    [
      'in another sequence, by an order that is not total',
      'select name from tag order by item',
      [],
      'order',
      'order',
    ],
    ['cut where the order leaves it open', 'select name from tag order by item limit 1', [], 'order', ''],
    [
      'of another row where the cut took nothing away',
      'select * from item where kind = $1 limit 20',
      ['k1'],
      'real',
      '',
    ],
    [
      'of another row, found by its key',
      'select * from item where id = $1 limit 1',
      [7],
      'real',
      'the new one lacks 1',
    ],
    ['of fewer rows than the cut allows', 'select id from item where n = $1 limit $2', [7, 20], 'real', ''],
    ['cut by a total order', 'select n from item order by id desc limit 45', [], 'real', ''],
  ])('%s', async (_, text, values, outcome, detail) => {
    const cutover = await s.begin('shadow', { shadow: EVERY })
    const event = outcome === 'equal' ? undefined : mismatch(cutover)
    const ask = (): Promise<unknown> => cutover.pool.query(text, [...values]).catch((error: unknown) => error)
    await until(cutover, ({ outcomes }) => outcomes[outcome] > 0, ask)
    const { statements, mismatches, compared, outcomes } = cutover.shadow.report()
    expect(outcomes[outcome]).toBe(compared)
    expect(statements).toMatchObject([{ outcomes: { [outcome]: compared }, compared }])
    expect(statements[0]?.text).toContain('select')
    expect(statements[0]?.old.p50).toBeGreaterThan(0)
    if (event === undefined) expect(mismatches).toEqual([])
    else {
      expect(mismatches).toMatchObject([{ outcome, detail: expect.stringContaining(detail) }])
      expect(mismatches[0]).not.toHaveProperty('values')
      expect(await event).toMatchObject({ outcome, fingerprint: statements[0]?.fingerprint })
    }
  })
})

it('shows the values of rows that differ where they were asked for', async () => {
  const cutover = await s.begin('shadow', { shadow: { ...EVERY, values: true } })
  await until(
    cutover,
    ({ outcomes }) => outcomes.real > 0,
    () => cutover.pool.query('select id, n from item where id = 7'),
  )
  const [found] = cutover.shadow.report().mismatches
  expect(found?.values).toEqual({ old: [['7', '7']], new: [['7', '99']] } satisfies Mismatch['values'])
})

it('of a row that never stands still nothing is said', async () => {
  const cutover = await s.begin('shadow', { shadow: EVERY })
  const writer = { going: true }
  const writing = (async () => {
    while (writer.going) await s.on.old.query('update hot set n = n + 1')
  })()
  await until(
    cutover,
    ({ outcomes }) => outcomes.unsettled > 0,
    () => cutover.pool.query('select n from hot where id = 1'),
  )
  writer.going = false
  await writing
  expect(cutover.shadow.totals().outcomes).toMatchObject({ real: 0, order: 0 })
})

describe('what is not compared', () => {
  it.each([
    ['a read that changes by itself', 'select now(), id from item', []],
    ['a read of a view that does', 'select * from clock', []],
    ['a read of a moment that its values name', 'select $1::timestamptz', ['now']],
    ['a read of a moment that its text names', `select '12:00 today'::timestamptz`, []],
  ])('%s is counted', async (_, text, values) => {
    const cutover = await s.begin('shadow', { shadow: EVERY })
    await until(
      cutover,
      ({ skipped }) => skipped.volatile > 2,
      () => cutover.pool.query(text, [...values]),
    )
    expect(cutover.shadow.totals().compared).toBe(0)
  })

  it('what does more than read on the other side, where not even a plan is made of it', async () => {
    const heard: unknown[] = []
    s.on.new.on('notification', ({ channel }) => heard.push(channel))
    await s.on.new.query('listen told')
    const cutover = await s.begin('shadow', { shadow: EVERY })
    await until(
      cutover,
      ({ skipped }) => skipped.volatile > 2,
      () => cutover.pool.query('select * from item where id = told()'),
    )
    await s.on.new.query('unlisten told')
    expect(heard).toEqual([])
  })

  it('what our own session is refused, and the caller was not', async () => {
    const cutover = await s.begin('shadow', {
      old: { connectionString: s.urls.old, max: 1 },
      shadow: EVERY,
    })
    await cutover.pool.query('set search_path = aside')
    await until(
      cutover,
      ({ skipped }) => skipped.unavailable > 2,
      () => cutover.pool.query('select * from apart'),
    )
    expect(cutover.shadow.totals().compared).toBe(0)
  })

  it('writes, transactions, checkouts and failed calls', async () => {
    const cutover = await s.begin('shadow', { shadow: EVERY })
    const { pool } = cutover
    const read = 'select kind from item where id = $1'
    const asked = (): Promise<unknown> => pool.query(read, [1])
    const { compared } = await until(cutover, (totals) => totals.compared > 0, asked)
    // Those that were chosen before are through when as many more calls were as could be under way.
    const before = await until(cutover, (totals) => totals.compared > compared + 12, asked)
    const client = await pool.connect()
    await client.query('begin')
    for (let nr = 0; nr < 5; nr++) await client.query(read, [nr])
    await client.query('commit')
    client.release()
    await expect(pool.query(read, ['x'])).rejects.toMatchObject({ code: '22P02' })
    await pool.query('update item set n = n where id = 1')
    await pool.query(`insert into hot values (2, 0) returning n`)
    await pool.query('delete from hot where id = 2')
    const after = await until(cutover, (totals) => totals.compared >= before.compared)
    expect(after.compared).toBeLessThanOrEqual(before.compared + 10)
    expect(cutover.shadow.report().statements).toHaveLength(1)
  })

  it('anything at a rate of 0, but a rare statement once a minute', async () => {
    const cutover = await s.begin('shadow', { shadow: { rate: 0 } })
    await until(
      cutover,
      ({ compared }) => compared > 0,
      () => cutover.pool.query('select kind from item where id = $1', [1]),
    )
    for (let nr = 0; nr < 50; nr++) await cutover.pool.query('select kind from item where id = $1', [nr])
    await until(
      cutover,
      ({ compared }) => compared > 1,
      () => cutover.pool.query('select id from item where n = $1', [1]),
    )
    expect(cutover.shadow.report().statements.map(({ compared }) => compared)).toEqual([1, 1])
  })
})

it('a source that measures the migration is told of both sides', async () => {
  const taken: SampledCall[] = []
  const sampler: Sampler = { perSecond: 1_000, active: true, take: (call) => void taken.push(call) }
  const source = Object.assign(memorySource('shadow'), { sampler })
  const cutover = await s.begin('shadow', { shadow: EVERY, source })
  const told = (consistent: boolean): boolean => taken.some((call) => call.consistent === consistent)
  for (const [id, consistent] of [
    [3, true],
    [7, false],
  ] as const)
    await until(
      cutover,
      () => told(consistent),
      () => cutover.pool.query('select * from item where id = $1', [id]),
    )
  expect(taken.find((call) => call.consistent === true)).toEqual({
    operation: 'read',
    side: 'old',
    millis: expect.any(Number),
    otherMillis: expect.any(Number),
    failed: false,
    consistent: true,
  })
})

it('a statement whose plan has changed says so', async () => {
  await s.on.new.query('create table big as select i as id from generate_series(1, 2000) i')
  await s.on.old.query(`
    create table big as select i as id from generate_series(1, 2000) i;
    create index big_by_id on big (id);
    analyze big`)
  const cutover = await s.begin('shadow', { shadow: EVERY })
  await until(
    cutover,
    () => cutover.shadow.report().statements.some(({ planChange }) => planChange !== undefined),
    () => cutover.pool.query('select id from big where id = $1', [5]),
  )
  expect(cutover.shadow.report().statements[0]?.planChange).toEqual({
    old: 'Index Only Scan big_by_id on big',
    new: 'Seq Scan on big',
    slowdown: expect.any(Number),
  })
})
