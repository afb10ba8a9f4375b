// The commands against two real servers: what they say of each state of a migration, and what recover makes of it.
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createCutover, memorySource, type Cutover } from '../../src/index.js'
import { freshDatabases, type FreshDatabases } from '../support/databases.js'
import { run, type Ran } from './run.js'

let databases: FreshDatabases
let cutover: Cutover
let old: pg.Client
let fresh: pg.Client

/** The command with both URLs, and its JSON. */
async function command(...args: string[]): Promise<Ran & { json: Record<string, unknown> }> {
  const ran = await run([...args, '--name', databases.name, '--json'], {
    OLD_DATABASE_URL: databases.old,
    NEW_DATABASE_URL: databases.new,
  })
  return { ...ran, json: JSON.parse(ran.out) as Record<string, unknown> }
}

const service = (): Cutover =>
  createCutover({
    name: databases.name,
    old: { connectionString: databases.old },
    new: { connectionString: databases.new },
    source: memorySource(),
    control: true,
  })

const setRow = (on: pg.Client, set: string): Promise<unknown> =>
  on.query(`update cutover.side set ${set} where name = $1`, [databases.name])

beforeAll(async () => {
  databases = await freshDatabases()
  old = new pg.Client(databases.old)
  fresh = new pg.Client(databases.new)
  for (const client of [old, fresh]) {
    await client.connect()
    await client.query('create table orders (id int primary key, note text)')
  }
  await old.query(`insert into orders select n, 'n' || n from generate_series(1, 100) n`)
  cutover = service()
})

afterAll(async () => {
  await cutover.end()
  await Promise.all([old.end(), fresh.end()])
  await databases.drop()
})

describe('before anything was made', () => {
  it('status says so and ends with 0', async () => {
    const { exit, json } = await command('status')
    expect(exit).toBe(0)
    expect(json).toMatchObject({ phase: null, writer: null, needsRecover: false, mirrors: [] })
    const { out } = await run(['status', '--name', 'x', '--old', databases.old, '--new', databases.new])
    expect(out).toContain('not begun')
  })

  it('recover finds nothing to do and makes nothing', async () => {
    const { exit, json } = await command('recover')
    expect({ exit, json }).toMatchObject({ exit: 0, json: { done: [], open: [], writer: null } })
    const { rows } = await old.query(`select from pg_namespace where nspname = 'cutover'`)
    expect(rows).toEqual([])
  })

  it('preflight finds no error, and ends with 0', async () => {
    const { exit, json } = await command('preflight')
    expect(json).toMatchObject({ stage: 'mirror', from: 'old', errors: 0 })
    expect(exit).toBe(0)
  })

  it('preflight names what is wrong with its fix, and ends with 1', async () => {
    await old.query('create table lonely (id int primary key)')
    try {
      const { exit, json } = await command('preflight')
      expect(exit).toBe(1)
      expect(json['findings']).toContainEqual(
        expect.objectContaining({ severity: 'error', object: expect.stringContaining('lonely') }),
      )
      const { out } = await run(['preflight', '--name', 'x', '--old', databases.old, '--new', databases.new])
      expect(out).toMatch(/error.*lonely[^]*fix: /)
    } finally {
      await old.query('drop table lonely')
    }
  })

  it('preflight refuses one database for both sides', async () => {
    const { exit, out } = await run([
      'preflight',
      '--name',
      'x',
      '--old',
      databases.old,
      '--new',
      databases.old,
    ])
    expect(exit).toBe(1)
    expect(out).toContain('same-database')
  })
})

describe('with the mirror running', () => {
  beforeAll(async () => {
    await cutover.ready()
    await cutover.advance('mirror')
    await cutover.advance('shadow')
  })

  afterEach(async () => {
    await command('recover')
  })

  it('status shows phase, writer and mirror', async () => {
    const { exit, json } = await command('status')
    expect(exit).toBe(0)
    expect(json).toMatchObject({
      phase: 'shadow',
      writer: 'old',
      sides: { old: { status: 'writer' }, new: { status: 'mirror' } },
      mirrors: [{ from: 'old', to: 'new', enabled: true, tablesReady: expect.any(Number) }],
      needsRecover: false,
    })
    const { out } = await run([
      'status',
      '--name',
      databases.name,
      '--old',
      databases.old,
      '--new',
      databases.new,
    ])
    expect(out).toMatch(/phase +shadow[^]*writes +old[^]*mirror +old to new: running/)
    expect(out).not.toContain('\u001B')
  })

  it('preflight looks at what a change of writer needs', async () => {
    expect((await command('preflight')).json).toMatchObject({ stage: 'cutover', from: 'old', errors: 0 })
  })

  it('exchanged URLs are refused', async () => {
    for (const name of ['status', 'recover']) {
      const { exit, err } = await run([
        name,
        '--name',
        databases.name,
        '--old',
        databases.new,
        '--new',
        databases.old,
      ])
      expect(exit).toBe(1)
      expect(err).toContain('ERR_PREFLIGHT')
      expect(err).toContain('exchange the two URLs')
    }
  })

  it('a fence that was left: status ends with 3, recover lifts it, twice gives the same', async () => {
    await setRow(old, `status = 'fenced', epoch = epoch + 1, target = 'live'`)
    const status = await command('status')
    expect(status.exit).toBe(3)
    expect(status.json).toMatchObject({ writer: null, needsRecover: true })
    expect(status.json['leftOver']).toEqual([expect.stringContaining('lift the fence of the old database')])
    const dry = await command('recover', '--dry-run')
    expect(dry).toMatchObject({ exit: 0, json: { dryRun: true, wouldDo: status.json['leftOver'] } })
    expect((await command('status')).exit).toBe(3)
    const done = await command('recover')
    expect(done).toMatchObject({ exit: 0, json: { writer: 'old', phase: 'shadow', open: [] } })
    expect(done.json['done']).toHaveLength(1)
    expect(await command('recover')).toMatchObject({ exit: 0, json: { done: [], open: [], writer: 'old' } })
  })
})

describe('after a change of writer', () => {
  it('a move that was not opened: status ends with 3, and recover opens the other side', async () => {
    await cutover.advance('live')
    expect((await command('status')).json).toMatchObject({
      phase: 'live',
      writer: 'new',
      mirrors: [
        { from: 'old', enabled: false },
        { from: 'new', to: 'old', enabled: true },
      ],
      needsRecover: false,
    })
    await cutover.rollback()
    // As if whoever decided had died before opening: OLD is back at the row it had before the rollback opened it. A
    // service that lives would open it by itself.
    await cutover.end()
    const { rows } = await old.query<{ epoch: string }>('select epoch from cutover.side where name = $1', [
      databases.name,
    ])
    await setRow(old, `status = 'moved', epoch = epoch - 1, opened = epoch - 2, target = null`)
    const status = await command('status')
    expect(status.exit).toBe(3)
    expect(status.json['leftOver']).toEqual([expect.stringContaining('open the old database')])
    const recovered = await command('recover')
    expect(recovered).toMatchObject({ exit: 0, json: { writer: 'old', epoch: Number(rows[0]?.epoch) } })
    expect(await command('status')).toMatchObject({
      exit: 0,
      json: { phase: 'shadow', writer: 'old', needsRecover: false },
    })
  })

  it('a mirror of the way back that was not enabled needs recover too', async () => {
    cutover = service()
    await cutover.ready()
    await cutover.advance('live')
    const { rows } = await old.query<{ name: string }>(
      `select subname as name from pg_subscription where subdbid = (select oid from pg_database where datname = current_database())`,
    )
    await old.query(`alter subscription ${rows[0]?.name} disable`)
    const status = await command('status')
    expect(status.exit).toBe(3)
    expect(status.json['leftOver']).toEqual([
      expect.stringContaining('enable the mirror of the way back, from new to old'),
    ])
    expect((await command('recover')).exit).toBe(0)
    expect((await command('status')).exit).toBe(0)
  })
})
