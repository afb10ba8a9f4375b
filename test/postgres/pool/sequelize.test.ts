// Sequelize over both databases: the values of types whose OIDs differ, and what a session was set to.
import pg from 'pg'
import { QueryTypes, Sequelize } from 'sequelize'
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openSequelize, shutDown } from '../../../examples/sequelize.js'
import { memorySource, type Cutover, type MemorySource, type Side } from '../../../src/index.js'
import { freshDatabases, runOn, type FreshDatabases } from '../../support/databases.js'
import { directCutover } from '../../support/direct-cutover.js'

const TYPES = ["create type mood as enum ('calm', 'wild')", 'create type size as enum ()']
const VALUES = `select array['calm', 'wild']::mood[] as moods, 'wild'::mood as mood,
  array[1::bigint] as bigs`

let databases: FreshDatabases
let source: MemorySource
let cutover: Cutover
let sequelize: Sequelize

beforeAll(async () => {
  databases = await freshDatabases()
  await runOn(databases.old, TYPES)
  await runOn(databases.new, TYPES.toReversed())
})

afterAll(() => databases.drop())

beforeEach(async () => {
  source = memorySource('old')
  cutover = await directCutover(databases, 'types', source)
  sequelize = openSequelize(cutover, { timezone: '+03:00', pool: { max: 2 } })
})

afterEach(() => shutDown(sequelize, cutover))

async function first(text: string, on = sequelize): Promise<Record<string, unknown> | undefined> {
  return (await on.query<Record<string, unknown>>(text, { type: QueryTypes.SELECT }))[0]
}

async function stockValues(): Promise<unknown> {
  const stock = new Sequelize(databases.old, { dialect: 'postgres', dialectModule: pg, logging: false })
  const values = await first(VALUES, stock)
  await stock.close()
  return values
}

const oidOn = async (side: Side): Promise<unknown> => {
  await cutover.advance(side)
  return (await first(`select 'mood'::regtype::oid::text as oid`))?.['oid']
}

describe('values of types whose OIDs differ', () => {
  it('are parsed alike on either side, by connections that move and by new ones', async () => {
    const expected = await stockValues()
    expect(expected).toMatchObject({ moods: ['calm', 'wild'] })
    expect(await oidOn('new')).not.toBe(await oidOn('old'))
    expect(await first(VALUES)).toEqual(expected)
    await cutover.advance('new')
    // One that moves, and one that is opened for the second.
    expect(await Promise.all([first(VALUES), first(VALUES)])).toEqual([expected, expected])
    await cutover.advance('old')
    expect(await first(VALUES)).toEqual(expected)
  })

  it('are parsed in the very first statement after a move, which has waited for it', async () => {
    const expected = await stockValues()
    await first('select 1')
    source.set('hold')
    while (cutover.status().route !== 'held') await once(cutover, 'route')
    const waiting = first(VALUES)
    await cutover.advance('new')
    expect(await waiting).toEqual(expected)
  })

  it('are known when Sequelize began on the other side, and when it has asked for them again there', async () => {
    const expected = await stockValues()
    await cutover.advance('new')
    expect(await first(VALUES)).toEqual(expected)
    await cutover.advance('old')
    expect(await first(VALUES)).toEqual(expected)
    const { connectionManager } = sequelize as unknown as {
      connectionManager: { _refreshDynamicOIDs(): Promise<void> }
    }
    await connectionManager._refreshDynamicOIDs()
    expect(await first(VALUES)).toEqual(expected)
    await cutover.advance('new')
    expect(await first(VALUES)).toEqual(expected)
  })
})

it('has its session on the other side as it has set it up', async () => {
  const settings = `select current_setting('TimeZone') as zone, current_setting('client_min_messages') as messages`
  const before = await first(settings)
  expect(before).toMatchObject({ messages: 'warning' })
  await cutover.advance('new')
  expect(await first(settings)).toEqual(before)
})
