// What processes store of their compared reads: on the side that writes, only what has changed, and once for each process.
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { controlConnection } from '../../../src/control/control-connection.js'
import { ensureControlSchema } from '../../../src/control/schema.js'
import type { Side } from '../../../src/phase/phases.js'
import { addMillis, bucketsToText, noBuckets } from '../../../src/shadow/latency.js'
import { reportOf } from '../../../src/shadow/report-of.js'
import { noTotals, type Mismatch, type ShadowReport } from '../../../src/shadow/report.js'
import type { Counting, KeptReport, KeptStatement } from '../../../src/shadow/store.js'
import { ReportSum } from '../../../src/shadow/store-merge.js'
import { PostgresShadowStore } from '../../../src/shadow/store-postgres.js'
import { findProcesses, readReports } from '../../../src/shadow/store-reading.js'
import { startSaving } from '../../../src/shadow/store-saving.js'
import { freshDatabases } from '../../support/databases.js'

const databases = await freshDatabases()
const connect = (side: Side) =>
  controlConnection({ side, config: { connectionString: databases[side] }, connectTimeoutMillis: 1_000 })
const control = { old: connect('old'), new: connect('new') }
await Promise.all([ensureControlSchema(control.old), ensureControlSchema(control.new)])

afterAll(async () => {
  await Promise.all([control.old.close(), control.new.close()])
  await databases.drop()
})

let name = ''
let tests = 0
let writer: Side = 'old'
beforeEach(() => {
  name = `m${++tests}`
  writer = 'old'
})

const process = (): PostgresShadowStore => new PostgresShadowStore({ name, control, writer: () => writer })

function latencies(...millis: number[]): string {
  const buckets = noBuckets()
  for (const one of millis) addMillis(buckets, one)
  return bucketsToText(buckets)
}

function statement(fingerprint: string, more: { real?: number; equal?: number } = {}): KeptStatement {
  const { real = 0, equal = 1 } = more
  return {
    fingerprint,
    text: `select ${fingerprint} from t where id = $1`,
    compared: real + equal,
    outcomes: { ...noTotals().outcomes, real, equal },
    old: latencies(1),
    new: latencies(2),
    planChange: undefined,
  }
}

function kept(statements: readonly KeptStatement[], mismatches: readonly Mismatch[] = []): KeptReport {
  const count = (of: (one: KeptStatement) => number): number =>
    statements.reduce((sum, one) => sum + of(one), 0)
  return {
    ...noTotals(),
    since: '2026-01-02T03:04:05.000Z',
    compared: count(({ compared }) => compared),
    outcomes: {
      ...noTotals().outcomes,
      real: count(({ outcomes }) => outcomes.real),
      equal: count(({ outcomes }) => outcomes.equal),
    },
    statements,
    mismatches,
  }
}

async function stored(): Promise<ShadowReport & { processes: number }> {
  const sum = new ReportSum()
  for await (const report of readReports(control, name, await findProcesses(control, name))) sum.add(report)
  return { ...reportOf(name, false, sum.kept()), processes: sum.processes }
}

const texts = async (side: Side): Promise<string> =>
  JSON.stringify([
    await control[side].run('select p::text from cutover.shadow_process p'),
    await control[side].run('select s::text from cutover.shadow_statement s'),
  ])

describe('several processes', () => {
  it('are added up, with percentiles of all their latencies', async () => {
    const [one, other] = [process(), process()]
    await one.save(kept([{ ...statement('a', { real: 2 }), old: latencies(1, 1, 1) }, statement('b')]))
    await other.save(kept([{ ...statement('a', { real: 1 }), old: latencies(100) }]))
    const report = await stored()
    expect(report).toMatchObject({
      processes: 2,
      compared: 6,
      since: '2026-01-02T03:04:05.000Z',
      outcomes: { real: 3, equal: 3, lag: 0 },
      statements: [
        { fingerprint: 'a', compared: 5, text: 'select a from t where id = $1', outcomes: { real: 3 } },
        { fingerprint: 'b', compared: 1 },
      ],
    })
    expect(report.statements[0]?.old.p50).toBeCloseTo(1, 1)
    expect(report.statements[0]?.old.p99).toBeGreaterThan(95)
    expect(report.statements[0]?.old.p99).toBeLessThan(105)
  })

  it('each see what differed for real in the others, and not their own', async () => {
    const [one, other] = [process(), process()]
    await one.save(kept([statement('a', { real: 2 }), statement('b', { real: 1 }), statement('c')]))
    await other.save(kept([statement('a', { real: 5 })]))
    expect(await other.elsewhere()).toMatchObject({
      real: 3,
      outdated: false,
      statements: [
        { fingerprint: 'a', real: 2, text: 'select a from t where id = $1' },
        { fingerprint: 'b', real: 1 },
      ],
    })
    expect(await one.elsewhere()).toMatchObject({ real: 5 })
    expect(await process().elsewhere()).toMatchObject({ real: 8, statements: [{ real: 7 }, { real: 1 }] })
  })

  it('keep the latest mismatch of each statement and outcome', async () => {
    const mismatch = (at: string, detail: string): Mismatch => ({
      fingerprint: 'a',
      outcome: 'real',
      at,
      detail,
      keys: { old: ['0a'], new: [] },
    })
    await process().save(kept([], [mismatch('2026-01-02T00:00:00.000Z', 'later')]))
    await process().save(kept([], [mismatch('2026-01-01T00:00:00.000Z', 'earlier')]))
    expect((await stored()).mismatches).toMatchObject([{ detail: 'later', keys: { old: ['0a'], new: [] } }])
  })

  it('of another migration are not seen', async () => {
    await process().save(kept([statement('a', { real: 1 })]))
    name = `${name}_other`
    expect(await stored()).toMatchObject({ processes: 0, compared: 0 })
    expect(await process().elsewhere()).toMatchObject({ real: 0, statements: [] })
  })
})

describe('one process', () => {
  it('counts once after a change of writer, with all of its statements', async () => {
    const one = process()
    await one.save(kept([statement('a', { real: 1 }), statement('b')]))
    writer = 'new'
    await one.save(kept([statement('a', { real: 1, equal: 4 }), statement('b')]))
    expect(await stored()).toMatchObject({
      processes: 1,
      compared: 6,
      statements: [{ fingerprint: 'a', compared: 5 }, { fingerprint: 'b' }],
    })
    expect(await process().elsewhere()).toMatchObject({ real: 1 })
    writer = 'old'
    await one.save(kept([statement('a', { real: 2, equal: 4 }), statement('b')]))
    expect(await stored()).toMatchObject({ processes: 1, compared: 7, outcomes: { real: 2 } })
  })

  it('writes only the statements that have changed, and forgets those that are gone', async () => {
    const rows = async (): Promise<Record<string, unknown>> =>
      Object.fromEntries(
        (
          await control.old.run(
            'select fingerprint, xmin::text from cutover.shadow_statement where name = $1',
            [name],
          )
        ).map((row) => [row['fingerprint'], row['xmin']]),
      )
    const one = process()
    await one.save(kept([statement('a'), statement('b'), statement('c')]))
    const before = await rows()
    await one.save(kept([statement('a', { equal: 2 }), statement('b')]))
    const after = await rows()
    expect(Object.keys(after).toSorted()).toEqual(['a', 'b'])
    expect(after['a']).not.toBe(before['a'])
    expect(after['b']).toBe(before['b'])
  })

  it('is forgotten when it has been silent for a day, and comes back whole if it was not gone', async () => {
    const [silent, other] = [process(), process()]
    await silent.save(kept([statement('a', { real: 1 }), statement('b')]))
    await control.old.run(
      `update cutover.shadow_process set updated = updated - interval '25 hours' where name = $1`,
      [name],
    )
    expect(await other.elsewhere()).toMatchObject({ real: 0 })
    await other.save(kept([]))
    expect(
      await control.old.run('select from cutover.shadow_statement where name = $1', [name]),
    ).toHaveLength(0)
    await silent.save(kept([statement('a', { real: 1, equal: 2 }), statement('b')]))
    expect(await stored()).toMatchObject({ processes: 2, compared: 4, statements: [{}, {}] })
  })

  it('stores no values of rows, nothing beyond its bounds, and text that the encoding may lack', async () => {
    const mismatch: Mismatch = {
      fingerprint: 'a',
      outcome: 'real',
      at: '2026-01-02T00:00:00.000Z',
      detail: 'it differs',
      keys: { old: [], new: [] },
      values: { old: [['hunter2']], new: [] },
    }
    const strange = { ...statement('a'), text: 'select \uD800 \u0000 \u{1F600}' }
    const many = Array.from({ length: 600 }, (_, at) => statement(`s${at}`))
    await process().save(
      kept(
        [strange, ...many],
        Array.from({ length: 200 }, (_, at) => ({ ...mismatch, fingerprint: `f${at}` })),
      ),
    )
    const report = await stored()
    expect(report.statements).toHaveLength(500)
    expect(report.mismatches).toHaveLength(100)
    expect(report.statements.find(({ fingerprint }) => fingerprint === 'a')?.text).toBe(strange.text)
    expect(await texts('old')).toContain('it differs')
    expect(await texts('old')).not.toContain('hunter2')
  })
})

describe('counting anew', () => {
  it('makes every process forget at its next save, and what it saved before void at once', async () => {
    const [one, other] = [process(), process()]
    await one.save(kept([statement('a', { real: 2 })]))
    await other.save(kept([statement('b', { real: 1 })]))
    await other.reset()
    expect(await stored()).toMatchObject({ processes: 0, compared: 0 })
    expect(await one.save(kept([statement('a', { real: 2, equal: 9 })]))).toBe('outdated')
    expect(await stored()).toMatchObject({ processes: 0, compared: 0 })
    expect(await one.save(kept([statement('a')]))).toBe('saved')
    expect(await stored()).toMatchObject({ processes: 1, compared: 1, outcomes: { real: 0 } })
    expect(await other.save(kept([]))).toBe('saved')
  })

  it('is told to a process that only looks', async () => {
    const [one, other] = [process(), process()]
    await one.save(kept([statement('a', { real: 2 })]))
    await other.reset()
    expect(await one.elsewhere()).toMatchObject({ outdated: true, real: 0 })
    expect(await one.save(kept([]))).toBe('saved')
  })

  it('holds on the other side too after a change of writer', async () => {
    const one = process()
    writer = 'new'
    await one.save(kept([statement('a', { real: 2 })]))
    writer = 'old'
    await one.save(kept([statement('a', { real: 3 })]))
    await process().reset()
    expect(await process().elsewhere()).toMatchObject({ real: 0 })
    writer = 'new'
    expect(await one.save(kept([statement('a', { real: 3 })]))).toBe('outdated')
  })
})

/** Takes away what the versions after the first have made. */
async function toVersionOne(): Promise<void> {
  const tables = [
    'shadow',
    'shadow_process',
    'shadow_statement',
    'relay',
    'backfill',
    'stuck',
    'member',
    'call',
  ]
  await control.old.run(`drop table ${tables.map((table) => `cutover.${table}`).join(', ')}`)
  await control.old.run('alter table cutover.side drop column relay_role')
  await control.old.run('update cutover.version set version = 1')
}

describe('the tables', () => {
  it('are made in a control schema of version 1, whose rows stay', async () => {
    await toVersionOne()
    await control.old.run(
      `insert into cutover.side (name, identity, epoch, status, opened) values ($1, 'old', 7, 'writer', 7)`,
      [name],
    )
    expect(await process().elsewhere()).toMatchObject({ real: 0, outdated: false })
    expect(await process().save(kept([statement('a', { real: 1 })]))).toBe('saved')
    expect(await control.old.run('select version > 1 as raised from cutover.version')).toEqual([
      { raised: true },
    ])
    expect(await control.old.run('select epoch from cutover.side where name = $1', [name])).toEqual([
      { epoch: '7' },
    ])
    expect(await process().elsewhere()).toMatchObject({ real: 1 })
  })
})

it('of a role that may not make them are missed by nothing else', async () => {
  const role = `${databases.name}_app`
  await control.old.run(`create role ${role} login password 'x'`)
  await toVersionOne()
  await control.old.run(`grant usage on schema cutover to ${role}`)
  await control.old.run(`grant select, insert, update, delete on all tables in schema cutover to ${role}`)
  const config = { connectionString: databases.old.replace(/\/\/[^@]*@/, `//${role}:x@`) }
  const limited = controlConnection({ side: 'old', config })
  try {
    await expect(limited.run('create table cutover.more ()')).rejects.toMatchObject({ code: '42501' })
    await ensureControlSchema(limited)
    const store = new PostgresShadowStore({
      name,
      control: { old: limited, new: control.new },
      writer: () => 'old',
    })
    await expect(store.save(kept([]))).rejects.toMatchObject({ code: '42501' })
    expect(await store.elsewhere()).toMatchObject({ real: 0 })
  } finally {
    await limited.close()
    await ensureControlSchema(control.old)
    await control.old.run(`drop owned by ${role}`)
    await control.old.run(`drop role ${role}`)
  }
})

describe('a database that does not answer', () => {
  const nowhere = controlConnection({
    side: 'old',
    config: { host: '127.0.0.1', port: 1, database: 'x', user: 'x' },
  })
  afterEach(() => nowhere.close())

  it('fails what is asked, and is told once by what saves', async () => {
    const away = { old: nowhere, new: control.new }
    const store = new PostgresShadowStore({ name, control: away, writer: () => 'old' })
    await expect(store.elsewhere()).rejects.toMatchObject({ code: 'ERR_UNREACHABLE' })
    await expect(store.reset()).rejects.toMatchObject({ code: 'ERR_UNREACHABLE' })
    const failures: unknown[] = []
    const counting: Counting = { changes: 1, kept: () => kept([]), forget() {} }
    const saving = startSaving({
      counting,
      store,
      mayNow: () => true,
      failed: (error) => failures.push(error),
    })
    await saving.stop()
    expect(failures).toMatchObject([{ code: 'ERR_UNREACHABLE' }])
  })
})

describe('saving', () => {
  it('saves at once and at its end, nothing in a hold, and forgets when counting was begun anew', async () => {
    let may = true
    let forgotten = 0
    const state = { changes: 0, real: 1 }
    const counting: Counting = {
      get changes() {
        return state.changes
      },
      kept: () => kept([statement('a', { real: state.real })]),
      forget() {
        forgotten++
        state.changes++
        state.real = 0
      },
    }
    const store = process()
    const failed = (error: unknown): never => expect.unreachable(String(error))
    const saving = startSaving({ counting, store, mayNow: () => may, failed })
    // Behind the first save, since a store's statements run one after the other.
    await expect.poll(async () => (await process().elsewhere()).real).toBe(1)
    state.changes++
    state.real = 2
    may = false
    await saving.stop()
    expect(await process().elsewhere()).toMatchObject({ real: 1 })
    may = true
    await process().reset()
    const again = startSaving({ counting, store, mayNow: () => may, failed })
    await again.stop()
    expect(forgotten).toBe(1)
    expect(await stored()).toMatchObject({ processes: 1, outcomes: { real: 0 } })
  })
})
