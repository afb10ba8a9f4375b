// Slonik over both databases: type parsers by name, its own errors, timeouts and retries.
import * as slonik from 'slonik'
import { createPool, sql, type ClientConfigurationInput, type DatabasePool } from 'slonik'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { slonikDriver } from '../../../adapters/slonik.js'
import { openSlonik, shutDown } from '../../../examples/slonik.js'
import type { Cutover } from '../../../src/index.js'
import { freshDatabases, runOn, type FreshDatabases } from '../../support/databases.js'
import { directCutover } from '../../support/direct-cutover.js'

const TYPES = [
  "create type mood as enum ('calm', 'wild')",
  'create type size as enum ()',
  'create table entry (n int)',
]
const VALUES = sql.type(
  z.record(z.unknown()),
)`select array['calm', null]::mood[] as moods, 'wild'::mood as mood,
  9007199254740993 as big, '2024-02-29'::date as day, array['2024-02-29'::date] as days, array[1.5] as amounts,
  '2024-02-29 12:00:00Z'::timestamptz as moment, '1 day'::interval as span`

let databases: FreshDatabases
let cutover: Cutover
let pool: DatabasePool

const typeParsers = [
  ...slonik.createTypeParserPreset(),
  { name: 'mood', parse: (value: string | null) => value?.toUpperCase() },
]

const open = async (options: ClientConfigurationInput = {}): Promise<DatabasePool> =>
  (pool = await openSlonik(cutover, { typeParsers, ...options }))

beforeAll(async () => {
  databases = await freshDatabases()
  await runOn(databases.old, TYPES)
  await runOn(databases.new, TYPES.toReversed())
})

afterAll(() => databases.drop())

beforeEach(async () => {
  cutover = await directCutover(databases, 'types')
})

afterEach(() => shutDown(pool, cutover))

/** The same on the driver that Slonik has of its own. */
async function onItsOwn<T>(work: (own: DatabasePool) => Promise<T>, options = {}): Promise<T> {
  const own = await createPool(databases.old, { typeParsers, ...options })
  try {
    return await work(own)
  } finally {
    await own.end()
  }
}

describe('type parsers', () => {
  it('count for the type of their name on either side, as with its own driver', async () => {
    const expected = await onItsOwn((own) => own.one(VALUES))
    expect(expected).toMatchObject({ moods: ['CALM', undefined], mood: 'WILD' })
    await open()
    for (const side of ['old', 'new', 'old'] as const) {
      await cutover.advance(side)
      expect(await pool.one(VALUES), side).toEqual(expected)
    }
  })

  it('for a type that is not there are refused', async () => {
    const unknown = { typeParsers: [{ name: 'nothing', parse: String }] }
    // Its own driver says the same, and leaves a connection open that nobody can close.
    await expect(open(unknown)).rejects.toThrow('Database type "nothing" not found.')
    await open()
  })
})

const FAILURES = [
  ['a statement that takes too long', sql.unsafe`select pg_sleep(60)`],
  ['several statements', sql.unsafe`select 1; select 2`],
  ['a syntax error', sql.unsafe`selct 1`],
  ['a bad value', sql.unsafe`select 'x'::int`],
  ['a missing table', sql.unsafe`select 1 from nowhere`],
] as const

it.each(FAILURES)('tells of %s as its own driver does', async (_, query) => {
  const options = { statementTimeout: 40 }
  const failed = async (on: DatabasePool): Promise<object> => {
    const error = await on.query(query).then(
      () => undefined,
      (reason: Error) => reason,
    )
    return { name: error?.constructor.name, message: error?.message, cause: (error?.cause as Error)?.message }
  }
  await open(options)
  expect(await failed(pool)).toEqual(await onItsOwn(failed, options))
})

it('tries a transaction again that could not be serialized, and ends clients that were idle for long enough', async () => {
  await open({ idleTimeout: 20 })
  let attempts = 0
  await pool.transaction(async (tx) => {
    await tx.query(sql.unsafe`insert into entry values (1)`)
    if (++attempts < 3)
      await tx.query(sql.unsafe`do $$ begin raise exception using errcode = '40001'; end $$`)
  })
  expect(attempts).toBe(3)
  expect(await pool.oneFirst(sql.unsafe`select count(*)::int from entry`)).toBe(1)
  await expect.poll(() => pool.state().idleConnections).toBe(0)
  await cutover.advance('new')
  expect(await pool.oneFirst(sql.unsafe`select count(*)::int from entry`)).toBe(0)
})

it('streams only with pg-query-stream', async () => {
  pool = await createPool('postgres://', { driverFactory: slonikDriver(slonik, cutover) })
  await expect(pool.stream(sql.unsafe`select 1`, () => undefined)).rejects.toMatchObject({
    code: 'ERR_OPTION',
  })
})
