// Compared reads over a mirror: what is merely late is lag, what stays different is real, and it keeps the writer where it is.
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Cutover, EventMap } from '../../../src/index.js'
import { comparedSides, mismatch, until } from './fixture.js'

const s = await comparedSides(`create table item (id int primary key, n int not null)`)
await s.on.old.query('insert into item select i, i from generate_series(1, 20) i')

const READ = 'select id, n from item where id = $1'

/** Reads until both sessions that compare have had an answer to it: at first one may still be at the read before. */
async function readAndCompare(cutover: Cutover, id: number): Promise<void> {
  const { rows } = await s.on.old.query<{ now: string }>('select clock_timestamp()::text as now')
  const asked = async (side: 'old' | 'new'): Promise<boolean> => {
    // Both servers go by the clock of this machine.
    const found = await s.on[side].query(
      `select from pg_stat_activity where datname = current_database() and state = 'idle'
         and application_name = 'pg-cutover shadow' and query like 'select id, n%' and query_start > $1`,
      [rows[0]?.now],
    )
    return found.rows.length > 0
  }
  do {
    await cutover.pool.query(READ, [id])
    await delay(3)
  } while (!((await asked('old')) && (await asked('new'))))
}

async function inShadow(lagTimeoutMillis: number): Promise<Cutover> {
  const cutover = await s.begin('old', {
    control: true,
    shadow: { rate: 1, perMinute: 0, max: 1, lagTimeoutMillis },
  })
  if (cutover.phase === 'old') await cutover.advance('mirror')
  if (cutover.phase !== 'shadow') await cutover.advance('shadow')
  // Until then nothing is known of any text.
  await until(
    cutover,
    ({ outcomes }) => outcomes.equal > 0,
    () => cutover.pool.query(READ, [1]),
  )
  return cutover
}

/** The mirror cannot write, and everybody can read. */
async function withStoppedMirror<T>(work: () => Promise<T>): Promise<T> {
  await s.on.new.query('begin; lock table item in share mode')
  try {
    return await work()
  } finally {
    await s.on.new.query('commit')
  }
}

it('tells lag once the mirror has passed', async () => {
  const cutover = await inShadow(10_000)
  const told = mismatch(cutover)
  await withStoppedMirror(async () => {
    await cutover.pool.query('update item set n = 100 where id = 2')
    await readAndCompare(cutover, 2)
  })
  expect(await told).toMatchObject({ outcome: 'lag' })
  const { outcomes, mismatches } = cutover.shadow.report()
  expect(outcomes).toMatchObject({ lag: 1, real: 0, unsettled: 0 })
  expect(mismatches).toMatchObject([{ keys: { old: [expect.any(String)], new: [expect.any(String)] } }])
})

it('says nothing of a mirror that does not pass in time', async () => {
  const cutover = await inShadow(150)
  await withStoppedMirror(async () => {
    const told = mismatch(cutover)
    await cutover.pool.query('update item set n = 200 where id = 3')
    await readAndCompare(cutover, 3)
    expect(await told).toMatchObject({ outcome: 'unsettled' })
  })
})

it('finds a row that differs for real, which keeps the writer where it is', async () => {
  const cutover = await inShadow(10_000)
  await s.on.new.query(`begin; set local session_replication_role = replica;
    update item set n = -5 where id = 5; commit`)
  const told = mismatch(cutover)
  await readAndCompare(cutover, 5)
  expect(await told).toMatchObject({ outcome: 'real' })
  await expect(cutover.advance('live')).rejects.toMatchObject({ code: 'ERR_MISMATCH' })
  expect(cutover.phase).toBe('shadow')

  // On the other side as well, where the roles are exchanged.
  await cutover.advance('live', { despite: 'mismatches' })
  expect((await cutover.pool.query(READ, [5])).rows).toEqual([{ id: 5, n: -5 }])
  await cutover.shadow.reset()
  const toldLive = once(cutover, 'mismatch') as Promise<EventMap['mismatch']>
  await until(
    cutover,
    ({ outcomes }) => outcomes.equal > 0,
    () => cutover.pool.query(READ, [6]),
  )
  await readAndCompare(cutover, 5)
  expect(await toldLive).toMatchObject([{ outcome: 'real' }])
  expect(cutover.shadow.report().mismatches[0]?.keys).toEqual({
    old: [expect.any(String)],
    new: [expect.any(String)],
  })
  await cutover.advance('rampdown')
  expect(cutover.shadow.report().comparing).toBe(false)
})
