// The commands about a mirror by dual-write, against two real servers with a record that is prepared by hand.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { recordTable } from '../../src/control/names.js'
import { restartBackfillSql } from '../../src/dual-write/backfill.js'
import { fixture, one, type Fixture } from '../postgres/mirror/fixture.js'
import { run, type Ran } from './run.js'

let f: Fixture
let oid: number
const record = (): string => `cutover.${recordTable(f.m.name)}`

beforeAll(async () => {
  f = await fixture({
    schemas: {
      old: `create schema shop; create table shop.item (id int primary key, name text);
            create index item_name on shop.item (name)`,
      new: `create schema store; create table store.item (id int primary key, name text)`,
    },
    dualWrite: {},
  })
  await f.old(`create table ${record()} (
    xid xid8 not null, tbl oid not null, key text collate "C", whole boolean not null default false)`)
  await f.old(`update cutover.side set phase = 'mirror'`)
  oid = await one<number>(f.old, `'shop.item'::regclass::int`)
})
afterAll(() => f.drop())

beforeEach(async () => {
  for (const table of [record(), 'cutover.backfill', 'cutover.stuck', 'cutover.relay'])
    await f.old(`delete from ${table}`)
  await f.old(`insert into cutover.relay values ($1, 'shop-1 process 17', 3, 500, clock_timestamp(), null)`, [
    f.m.name,
  ])
})

const put = (...keys: string[]): Promise<unknown> =>
  f.old(`insert into ${record()} select pg_current_xact_id(), $1, unnest($2::text[])`, [oid, keys])

const refuse = (key: string | null, message: string): Promise<unknown> =>
  f.old(
    `insert into cutover.stuck (name, tbl, table_name, key, sqlstate, message) values ($1, $2, 'shop.item', $3, '23514', $4)`,
    [f.m.name, oid, key, message],
  )

const command = (args: readonly string[], isTTY = false, typed?: string): Promise<Ran> =>
  run(
    [...args, '--name', f.m.name, '--mirror', 'dual-write', '--mapped', 'shop.*=store.*'],
    { OLD_DATABASE_URL: f.urls.old, NEW_DATABASE_URL: f.urls.new },
    isTTY,
    typed,
  )

async function json(...args: string[]): Promise<{ exit: number; json: Record<string, unknown> }> {
  const { exit, out } = await command([...args, '--json'])
  return { exit, json: JSON.parse(out) as Record<string, unknown> }
}

const keys = async (): Promise<unknown[]> =>
  (await f.old(`select key from ${record()} order by key`)).map(({ key }) => key)

describe('status', () => {
  it('shows the record, who relays it, and that nothing is stuck', async () => {
    const { exit, out } = await command(['status'])
    expect(exit).toBe(0)
    expect(out).toMatch(/phase +mirror[^]*mirror +old to new by dual-write: at work/)
    expect(out).toMatch(/on record +0 changes in \d/)
    expect(out).toMatch(/leader +shop-1 process 17, heard of \d+\.\d s ago/)
    expect(out).toMatch(/stuck +nothing\n/)
    expect(out).not.toContain('copied')
  })

  it('looks twice at a record that is not empty, for its age', async () => {
    await put('1', '2')
    const { json: told } = await json('status')
    expect(told['mirrors']).toEqual([
      expect.objectContaining({ kind: 'dual-write', from: 'old', to: 'new', healthy: true, rows: 2 }),
    ])
    const [mirror] = told['mirrors'] as { ageMillis: number }[]
    expect(mirror?.ageMillis).toBeGreaterThan(1_000)
  })

  it.each(['status', 'recover', 'preflight'])('%s refuses to be told of another mirror', async (name) => {
    const { exit, err } = await run([name, '--name', f.m.name, '--old', f.urls.old, '--new', f.urls.new])
    expect(exit).toBe(2)
    expect(err).toContain('is mirrored by dual-write, as the old database has it; pass --mirror dual-write')
  })
})

describe('preflight', () => {
  it('finds by the record that the mirror is made, and the tables by their other names', async () => {
    const { json: told } = await json('preflight')
    expect(told).toMatchObject({ stage: 'cutover', from: 'old' })
    expect(JSON.stringify(told['findings'])).not.toContain('table-missing')
  })
})

describe('mirror', () => {
  const copying = (done: number): Promise<unknown> =>
    f.old(`update cutover.backfill set rows_total = 1000, rows_done = $1::int, last_key = $1::int::text`, [
      done,
    ])

  beforeEach(async () => {
    await f.old(restartBackfillSql(f.m, oid))
    await copying(250)
  })

  it('shows a bar and the tables that are being copied', async () => {
    const { exit, out } = await command(['mirror'])
    expect(exit).toBe(0)
    expect(out).toMatch(/copied +█{7}░{23} 25 %, 250 of about 1,000 rows/)
    expect(out).toContain('shop.item  250 of about 1,000')
  })

  it('watches in lines to the end of the copy, when what it has put on record has passed too', async () => {
    await put('250')
    let seen = 0
    const lines: string[] = []
    const ended = watch((text) => {
      lines.push(text)
      seen++
      if (seen === 1) return copying(500)
      if (seen === 2)
        return f.old('update cutover.backfill set rows_done = 1000, finished = clock_timestamp()')
      if (seen === 3) return f.old(`delete from ${record()}`)
      return undefined
    })
    expect(await ended).toBe(0)
    expect(lines[0]).toMatch(/^old to new: at work, copied 25 %, 250 of about 1,000 rows, 1 change on record/)
    expect(lines[1]).toMatch(/copied 50 %, 500 of about 1,000 rows, [\d,]+ a second, \d+ s left/)
    expect(lines[2]).toContain('copied 1,000 rows, the last of them are on record')
    expect(lines.at(-1)).toMatch(/copied +1,000 rows\n/)
  })

  it('draws over what it has shown on a terminal', async () => {
    const lines: string[] = []
    await watch((text) => {
      lines.push(text)
      return lines.length === 1
        ? f.old('update cutover.backfill set finished = clock_timestamp()')
        : undefined
    }, true)
    const height = (lines[0] ?? '').split('\n').length - 1
    expect(lines[0]?.startsWith('\u001B[?7l')).toBe(true)
    expect(lines[1]?.startsWith(`\u001B[${height}A\u001B[0Jmigration`)).toBe(true)
  })

  it('ends with 1 where nobody relays, and with what keeps the relay', async () => {
    await f.old('delete from cutover.backfill')
    await f.old(`update cutover.relay set trouble = 'disk full'`)
    expect(await command(['mirror'])).toMatchObject({ exit: 1, out: expect.stringContaining('disk full') })
    await f.old('delete from cutover.relay')
    expect(await command(['mirror'])).toMatchObject({
      exit: 1,
      out: expect.stringContaining('nobody relays'),
    })
  })

  /** Runs to its end; told of every piece of output before the next look. */
  async function watch(
    onText: (text: string) => Promise<unknown> | undefined,
    isTTY = false,
  ): Promise<number> {
    const { runCommandLine } = await import('../../src/cli/command-line.js')
    let settled: Promise<unknown> = Promise.resolve()
    const exit = await runCommandLine(
      [
        'mirror',
        '--watch',
        '0.1',
        '--name',
        f.m.name,
        '--mirror',
        'dual-write',
        '--mapped',
        'shop.*=store.*',
      ],
      { OLD_DATABASE_URL: f.urls.old, NEW_DATABASE_URL: f.urls.new },
      {
        out: { write: (text) => void (settled = settled.then(() => onText(text))), isTTY },
        err: { write: (text) => expect.fail(text) },
      },
    )
    await settled
    return exit
  }
})

describe('set-aside', () => {
  beforeEach(async () => {
    await put('1', '2', '3')
    await refuse('2', 'a check\u001B[31m fails')
    await refuse('3', 'another check fails')
  })

  it('lists what is stuck, in signs that no terminal obeys, and ends with 1', async () => {
    const { exit, out } = await command(['set-aside'])
    expect(exit).toBe(1)
    expect(out).toContain('2 stuck, 0 set aside on the way from old to new')
    expect(out).toMatch(/stuck +shop\.item 2\n +new says: a check \[31m fails \(23514\), since \d{4}-/)
    expect(out).toContain('no change of writer begins meanwhile')
    expect((await json('set-aside')).json).toMatchObject({
      waiting: 2,
      stuck: [{ table: 'shop.item', key: '2', setAside: false }, { key: '3' }],
    })
  })

  it('says what it would do, and does nothing', async () => {
    const { exit, out } = await command(['set-aside', '--table', 'shop.item', '--dry-run'])
    expect(exit).toBe(0)
    expect(out).toContain(
      'It would set aside, so that the two sides differ there:\n  - shop.item 2\n  - shop.item 3',
    )
    expect(await keys()).toEqual(['1', '2', '3'])
  })

  it('asks a person, and takes no for an answer', async () => {
    const args = ['set-aside', '--table', 'shop.item', '--key', '2']
    expect(await command(args)).toMatchObject({ exit: 2, err: expect.stringContaining('--yes') })
    const { exit, out, err } = await command(args, true, 'n\n')
    expect({ exit, out }).toEqual({ exit: 1, out: 'Nothing was changed.\n' })
    expect(err).toContain('Do without shop.item 2 on the new side? The two sides will differ there.')
    expect(await keys()).toEqual(['1', '2', '3'])
  })

  it('forgets one row and leaves the other, and has it tried again', async () => {
    const args = ['--table', 'shop.item', '--key', '2']
    const { exit, out } = await command(['set-aside', ...args, '--yes'])
    expect(exit).toBe(0)
    expect(out).toContain('set aside: shop.item 2')
    expect(await keys()).toEqual(['1', '3'])
    expect(await json('set-aside')).toMatchObject({ exit: 1, json: { waiting: 1, setAside: 1 } })
    expect(await json('set-aside', ...args, '--yes')).toMatchObject({ exit: 1, json: { changed: [] } })
    expect(await json('set-aside', '--again')).toMatchObject({ exit: 0, json: { changed: [{}, {}] } })
    expect(await keys()).toEqual(['1', '2', '3'])
    expect(await json('set-aside')).toMatchObject({ exit: 0, json: { waiting: 0, setAside: 0 } })
  })

  it('sets a whole table aside, and says so in status', async () => {
    await refuse(null, 'no such table')
    const { exit, out } = await command(['set-aside', '--table', 'shop.item', '--yes'])
    expect(exit).toBe(0)
    expect(out).toContain('all of shop.item')
    expect(await keys()).toEqual([])
    expect((await command(['status'])).out).toMatch(/stuck +nothing but what was set aside/)
  })
})

describe('indexes', () => {
  it('prints what is missing as SQL, ends with 1, and with 0 once it is there', async () => {
    const { exit, out } = await command(['indexes'])
    expect(exit).toBe(1)
    const statement = 'CREATE INDEX CONCURRENTLY item_name ON store.item USING btree (name)'
    expect(out.replaceAll('"', '')).toContain(`-- store.item: index item_name\n${statement};\n`)
    expect(
      out
        .replace(/^(--.*)?\n/gm, '')
        .trim()
        .split('\n'),
    ).toHaveLength(1)
    const { json: told } = await json('indexes')
    const [missing] = told['missing'] as { statements: string[] }[]
    await f.new(missing?.statements[0] ?? '')
    expect(await json('indexes')).toMatchObject({ exit: 0, json: { from: 'old', to: 'new', missing: [] } })
  })
})
