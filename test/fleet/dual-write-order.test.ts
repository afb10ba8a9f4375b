// One order of writes on both sides: whoever leads, whoever comes too late, and whoever has written.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ControlConnection } from '../../src/control/control-connection.js'
import type { Migration } from '../../src/control/migration.js'
import { RELAY_APPLICATION } from '../../src/control/names.js'
import { readSide, setPhase } from '../../src/control/side-row.js'
import { beginMirror } from '../../src/coordinator/begin-mirror.js'
import { changeWriter } from '../../src/coordinator/coordinator.js'
import { RelayMember } from '../../src/dual-write/relay-member.js'
import { until } from '../postgres/mirror/fixture.js'
import { migrationOver } from '../postgres/protocol/fixture.js'
import { compiled } from '../support/compiled.js'
import { freshDatabases } from '../support/databases.js'
import type { FreshDatabases } from '../support/databases.js'
import { Auditor } from './dual-write-audit.js'
import type { HammerOrder } from './dual-write-hammer.js'
import { MAPPED, ROWS, SCHEMAS, SEARCH_PATH, TABLES, WATCH } from './dual-write-tables.js'

/** How a relay's texts for the other side begin, and no others. */
const WRITE = 'begin;\n'

const SIDES = ['old', 'new'] as const

let databases: FreshDatabases
let m: Migration
let auditor: Auditor

beforeAll(async () => {
  databases = await freshDatabases()
  const made = migrationOver(databases.name, databases, {
    mirror: 'dual-write',
    tables: TABLES.map(({ old }) => old),
    attempts: 3,
  })
  m = { ...made, dualWrite: { ...made.dualWrite, mapped: MAPPED } }
  auditor = new Auditor(databases.name, databases)
  for (const side of SIDES) await auditor.query(side, `set search_path = public; ${SCHEMAS[side]}`)
  await auditor.query('old', ROWS)
  await beginMirror(m, 'old', 'old')
  const row = await readSide(m.control.old, m.name)
  if (!row || !(await setPhase(m.control.old, m.name, row, 'shadow'))) throw new Error('no phase was set')
  // Later, since it is what preflight refuses: the triggers fire for the relay too.
  for (const side of SIDES) await auditor.query(side, WATCH)
})

afterAll(async () => {
  await auditor.end()
  for (const side of SIDES) await m.control[side].close()
  await databases.drop()
})

/** Ends the session of whoever leads, as soon as somebody does: the next leader has a generation of its own. */
async function takeLead(): Promise<void> {
  for (;;) {
    const ended = await auditor.query(
      'old',
      `select pg_terminate_backend(l.pid) from pg_locks l join pg_stat_activity a on a.pid = l.pid
        where l.locktype = 'advisory' and l.granted and a.application_name = $1 and a.datname = current_database()`,
      [RELAY_APPLICATION],
    )
    if (ended.length > 0) return
  }
}

async function generation(): Promise<number> {
  const [row] = await auditor.query<{ nr: number }>(
    'new',
    'select relay_generation::int as nr from cutover.side',
  )
  return row?.nr ?? -1
}

const equal = { violations: [], pending: 0, onRecord: 0, unfinished: 0 }

async function count(side: 'old' | 'new'): Promise<number> {
  const [row] = await auditor.query<{ nr: number }>(side, 'select nr::int from public.hot where id = 1')
  return row?.nr ?? -1
}

it('carries over what a plain client, a trigger, a cascade, a function, a MERGE and a COPY have written', async () => {
  const member = new RelayMember(m, 'old')
  member.start()
  const client = new pg.Client({ connectionString: databases.old, options: SEARCH_PATH })
  await client.connect()
  try {
    await client.query(`insert into amount values ('1.0', 'one')`)
    await client.query(`select rename_amount(1, '1.00')`)
    await client.query('update owner set id = 20 where id = 1')
    await client.query('delete from owner where id = 2')
    await client.query(`merge into event e using (values (1), (500)) s (id) on e.id = s.id
      when matched then update set day = date '2026-01-06'
      when not matched then insert values (s.id, date '2026-01-01', 'merged')`)
    const stream = client.query(copyFrom('copy bag (id, v) from stdin'))
    stream.end('1001\tcopied\n1002\t\\N\n')
    await once(stream, 'finish')
    expect((await auditor.look())?.violations).toEqual([])
    await member.applied()
    expect(await auditor.look()).toEqual(equal)
    const [there] = await auditor.query(
      'new',
      `select (select n from tally where owner = 20) as by_trigger, (select count(*)::int from pet where owner = 20) as moved,
        (select count(*)::int from pet where owner = 2) as gone, (select key::text from amount) as by_function,
        (select count(*)::int from event where note = 'merged') as merged,
        (select string_agg(v, ' ') from shop.bag where id > 1000) as copied`,
    )
    expect(there).toEqual({
      by_trigger: 1,
      moved: 3,
      gone: 0,
      by_function: '1.00',
      merged: 1,
      copied: 'copied',
    })
  } finally {
    await client.end()
    await member.close()
  }
})

it('never goes backwards on the other side, whichever of the processes that write one row leads', async () => {
  const order: HammerOrder = { name: databases.name, urls: databases }
  const file = compiled(fileURLToPath(new URL('dual-write-hammer.ts', import.meta.url)))
  const hammers = Array.from({ length: 2 }, () => {
    const child = spawn(process.execPath, [file, JSON.stringify(order)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    return { child, lines: createInterface({ input: child.stdout }), ended: once(child, 'exit') }
  })
  const before = await count('old')
  await Promise.all(hammers.map(({ lines }) => once(lines, 'line')))
  const first = await generation()
  for (let leads = 0; leads < 2; leads++) {
    const seen = await count('new')
    // Everything through whoever leads now, then somebody else.
    await until(m.control.new.run, `(select nr > $1::int + 10 from public.hot where id = 1)`, [seen])
    const led = await generation()
    await takeLead()
    await until(m.control.new.run, `exists (select from cutover.side where relay_generation > $1)`, [led])
  }
  let written = 0
  for (const { child, lines, ended } of hammers) {
    const said = once(lines, 'line')
    child.kill('SIGTERM')
    written += Number((await said)[0])
    await ended
  }
  const member = new RelayMember(m, 'old')
  member.start()
  await member.applied()
  await member.close()
  expect(await count('old')).toBe(before + written)
  expect(await count('new')).toBe(before + written)
  expect(await auditor.query('new', 'select * from watch.backwards')).toEqual([])
  expect(await generation()).toBeGreaterThanOrEqual(first + 2)
})

interface Stoppable {
  readonly m: Migration
  /** Resolves when the relay has read rows and is about to write them. */
  stopNext(): Promise<void>
  /** Lets it write; gives the error that it has met. */
  goOn(): Promise<unknown>
}

function stoppable(of: Migration): Stoppable {
  let atWrite: (() => void) | undefined
  let release = (): void => {}
  let answer: Promise<unknown> = Promise.resolve()
  const wrap = (control: ControlConnection): ControlConnection => {
    const runAll: ControlConnection['runAll'] = async (text) => {
      if (!atWrite || !text.startsWith(WRITE)) return control.runAll(text)
      const released = new Promise<void>((resolve) => (release = resolve))
      atWrite()
      atWrite = undefined
      await released
      const writing = control.runAll(text)
      answer = writing.catch((error: unknown) => error)
      return writing
    }
    return { ...control, runAll, fork: (bounds) => wrap(control.fork(bounds)) }
  }
  return {
    m: { ...of, control: { ...of.control, new: wrap(of.control.new) } },
    stopNext: () => new Promise((resolve) => (atWrite = resolve)),
    async goOn() {
      release()
      await Promise.resolve()
      return answer
    },
  }
}

it('refuses what a relay writes that was stopped before its write while another one led', async () => {
  const relay = stoppable(m)
  const late = new RelayMember(relay.m, 'old')
  late.start()
  await late.applied()
  const next = new RelayMember(m, 'old')
  try {
    const reached = relay.stopNext()
    await auditor.query('old', `update public.hot set nr = nr + 1 where id = 1`)
    await reached
    await takeLead()
    await auditor.query('old', `update public.hot set nr = nr + 1 where id = 1`)
    next.start()
    await next.applied()
    const applied = await count('new')
    expect(await relay.goOn()).toMatchObject({ code: '22012' })
    expect(await count('new')).toBe(applied)
    expect(await auditor.query('new', 'select * from watch.backwards')).toEqual([])
  } finally {
    void relay.goOn()
    await Promise.all([late.close(), next.close()])
  }
})

it('refuses what a relay writes that was stopped before its write while the writer changed', async () => {
  const relay = stoppable(m)
  const late = new RelayMember(relay.m, 'old')
  late.start()
  await late.applied()
  try {
    const reached = relay.stopNext()
    await auditor.query('old', `update public.hot set nr = nr + 1 where id = 1`)
    await reached
    await takeLead()
    expect(await changeWriter(m, 'new', 'live', { preflight: false })).toMatchObject({ outcome: 'done' })
    const opened = await count('new')
    expect(opened).toBe(await count('old'))
    await auditor.query('new', `update public.hot set nr = nr + 1 where id = 1`)
    expect(await relay.goOn()).toMatchObject({ code: '22012' })
    expect(await count('new')).toBe(opened + 1)
    expect(await auditor.query('new', 'select * from watch.backwards')).toEqual([])
  } finally {
    void relay.goOn()
    await late.close()
  }
})
