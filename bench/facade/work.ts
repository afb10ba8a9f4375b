// What callers do with a pool while the facade is measured, and what a slice of it costs.
import type pg from 'pg'
import type { Slice } from './interleaved.js'

/** One call of each kind makes a row at most. */
export const CALLS = 'create table call (id bigint generated always as identity primary key, n int not null)'

const INSERT = 'insert into call (n) values ($1)'

export type Work = (pool: pg.Pool, nr: number) => Promise<unknown>

export const WORKS = {
  text: (pool) => pool.query('select 1 as n'),
  'named statement': (pool, nr) => pool.query({ name: 'one', text: 'select $1::int as n', values: [nr] }),
  insert: (pool, nr) => pool.query(INSERT, [nr]),
  transaction,
} as const satisfies Record<string, Work>

async function transaction(pool: pg.Pool, nr: number): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query(INSERT, [nr])
    await client.query('COMMIT')
  } finally {
    client.release()
  }
}

/** So many callers at once, each of whom asks again as soon as it was answered, until the time is over. */
export async function sliceOf(pool: pg.Pool, work: Work, callers: number, millis: number): Promise<Slice> {
  const waited: number[] = []
  const until = performance.now() + millis
  const caller = async (): Promise<void> => {
    let began = performance.now()
    // Once at least: a process that was stopped meanwhile would have nothing to divide by.
    do {
      await work(pool, waited.length)
      const answered = performance.now()
      waited.push(answered - began)
      began = answered
    } while (began < until)
  }
  // Of this process alone: what the servers take is not in it.
  const before = process.cpuUsage()
  await Promise.all(Array.from({ length: callers }, caller))
  const { user, system } = process.cpuUsage(before)
  return { cpuMicros: (user + system) / waited.length, waited }
}
