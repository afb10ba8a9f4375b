// `pg-cutover shadow` against two real servers: what it makes of what two processes have stored, and counting anew.
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { controlConnection } from '../../src/control/control-connection.js'
import { ensureControlSchema } from '../../src/control/schema.js'
import { insertMirror, insertWriter, setPhase } from '../../src/control/side-row.js'
import type { Side } from '../../src/phase/phases.js'
import { addMillis, bucketsToText, noBuckets } from '../../src/shadow/latency.js'
import { noTotals, type Mismatch, type Outcome } from '../../src/shadow/report.js'
import type { KeptReport, KeptStatement } from '../../src/shadow/store.js'
import { PostgresShadowStore } from '../../src/shadow/store-postgres.js'
import { freshDatabases } from '../support/databases.js'
import { run, type Ran } from './run.js'

const databases = await freshDatabases()
const { name } = databases
const connect = (side: Side) => controlConnection({ side, config: { connectionString: databases[side] } })
const control = { old: connect('old'), new: connect('new') }
const SECRET = new URL(databases.old).password
const page = join(tmpdir(), `${name}.html`)

afterAll(async () => {
  rmSync(page, { force: true })
  await Promise.all([control.old.close(), control.new.close()])
  await databases.drop()
})

const shadow = (args: readonly string[] = [], isTTY = false, typed?: string): Promise<Ran> =>
  run(
    ['shadow', '--name', name, ...args],
    { OLD_DATABASE_URL: databases.old, NEW_DATABASE_URL: databases.new },
    isTTY,
    typed,
  )

async function json(...args: string[]): Promise<{ exit: number; json: Record<string, unknown> }> {
  const { exit, out } = await shadow([...args, '--json'])
  return { exit, json: JSON.parse(out) as Record<string, unknown> }
}

function latencies(millis: number): string {
  const buckets = noBuckets()
  addMillis(buckets, millis)
  return bucketsToText(buckets)
}

function statement(
  fingerprint: string,
  text: string,
  outcomes: Partial<Record<Outcome, number>>,
): KeptStatement {
  return {
    fingerprint,
    text,
    compared: Object.values(outcomes).reduce((sum, one) => sum + one, 0),
    outcomes: { ...noTotals().outcomes, ...outcomes },
    old: latencies(2),
    new: latencies(6),
    planChange: undefined,
  }
}

function kept(statements: readonly KeptStatement[], mismatches: readonly Mismatch[] = []): KeptReport {
  const { outcomes } = noTotals()
  const sum = (of: Outcome): number => statements.reduce((all, one) => all + one.outcomes[of], 0)
  return {
    ...noTotals(),
    skipped: { ...noTotals().skipped, busy: 4 },
    since: '2026-01-02T03:04:05.000Z',
    compared: statements.reduce((all, one) => all + one.compared, 0),
    outcomes: Object.fromEntries(
      (Object.keys(outcomes) as Outcome[]).map((of) => [of, sum(of)]),
    ) as KeptReport['outcomes'],
    statements,
    mismatches,
  }
}

const process = (): PostgresShadowStore => new PostgresShadowStore({ name, control, writer: () => 'old' })

describe('before anything was compared', () => {
  it('says where else to look, and ends with 0', async () => {
    const { exit, out } = await shadow()
    expect(exit).toBe(0)
    expect(out).toContain('nothing was compared yet')
    expect(out).toContain(
      'In direct mode nothing is stored: ask the process itself by cutover.shadow.report()',
    )
    expect(await json()).toMatchObject({ exit: 0, json: { name, processes: 0, compared: 0, unknown: [] } })
  })

  it('finds nothing to forget', async () => {
    expect(await json('--reset', '--yes')).toMatchObject({ exit: 0, json: { reset: false } })
  })
})

describe('with two processes that compare', () => {
  beforeAll(async () => {
    await Promise.all([ensureControlSchema(control.old), ensureControlSchema(control.new)])
    await insertWriter(control.old, name, 'old')
    await insertMirror(control.new, name)
    const [row] = await control.old.run('select epoch from cutover.side')
    expect(row).toBeDefined()
    const writer = {
      side: 'old',
      epoch: 0,
      status: 'writer',
      opened: 0,
      reverseLsn: undefined,
      phase: 'old',
      target: undefined,
    } as const
    expect(await setPhase(control.old, name, writer, 'shadow')).toBe(true)
    await process().save(
      kept(
        [
          statement('f_equal', 'select 1', { equal: 3 }),
          {
            ...statement('f_lag', 'select "<b>" from \n orders where a = $1 & $2', { equal: 1, lag: 2 }),
            planChange: { old: 'Index Scan orders_pkey on orders', new: 'Seq Scan on orders', slowdown: 3 },
          },
        ],
        [
          {
            fingerprint: 'f_lag',
            outcome: 'lag',
            at: '2026-01-02T03:04:06.000Z',
            detail: 'the mirror was behind',
            keys: { old: [], new: [] },
          },
        ],
      ),
    )
    await process().save(
      kept(
        [statement('f_real', 'select note from orders', { equal: 1, real: 1, order: 1 })],
        [
          {
            fingerprint: 'f_real',
            outcome: 'real',
            at: '2026-01-02T03:04:07.000Z',
            detail: 'one row of each side alone',
            keys: { old: ['0a1b'], new: ['2c3d'] },
          },
        ],
      ),
    )
  })

  it('ends with 1 where something differs for real, and shows the sum of all as a table', async () => {
    const { exit, out, err } = await shadow()
    expect({ exit, err }).toEqual({ exit: 1, err: '' })
    expect(out).toContain('compared  9 reads of 3 statements, by 2 processes since 2026-01-02T03:04:05.000Z')
    expect(out).toContain('answers   1 real, 1 order, 2 lag, 0 unsettled, 5 equal')
    expect(out).toContain('skipped   8 busy')
    expect(out).toContain('reads are being compared')
    const rows = out.split('\n')
    const heading = rows.findIndex((line) => line.includes('old p50'))
    expect(rows[heading + 1]).toMatch(/^ {2}f_real +3 +1 +1 +0( +[12]\.\d\d){3}( +[56]\.\d\d){3}$/)
    expect(rows[heading + 2]).toBe('    select note from orders')
    expect(rows[heading + 3]).toMatch(/^ {2}f_lag +3 +0 +0 +2/)
    expect(rows[heading + 4]).toBe('    select "<b>" from orders where a = $1 & $2')
    expect(rows[heading + 5]).toMatch(/another plan, the new side's median is [23]\.\d times the old one's/)
    expect(rows[heading + 7]).toBe('      new  Seq Scan on orders')
    expect(rows[heading + 8]).toMatch(/^ {2}f_equal/)
    expect(out).toMatch(
      /real +f_real {2}2026-01-02T03:04:07\.000Z {2}one row of each side alone\n +rows of old alone: 0a1b\n +rows of new alone: 2c3d\n/,
    )
    expect(out.indexOf('real       f_real')).toBeLessThan(out.indexOf('lag        f_lag'))
    expect(out).not.toContain(SECRET)
    expect(out).not.toContain('\u001B')
  })

  it('paints on a terminal, and shows as much as is asked for', async () => {
    const { out } = await shadow(['--top', '1'], true)
    expect(out).toContain('\u001B[31m1 real\u001B[0m')
    expect(out).toContain('and 2 more statements; see --top or --json')
    expect(out).toContain('and 1 more difference; see --top or --json')
    expect(out).not.toContain('f_equal')
  })

  it('gives machines the whole report', async () => {
    const found = await json()
    expect(found).toMatchObject({
      exit: 1,
      json: {
        name,
        writer: 'old',
        processes: 2,
        comparing: true,
        compared: 9,
        outcomes: { equal: 5, lag: 2, order: 1, real: 1, unsettled: 0 },
        statements: [
          { fingerprint: 'f_real', old: { p50: expect.closeTo(2, 0) } },
          { fingerprint: 'f_lag', planChange: { new: 'Seq Scan on orders' } },
          { fingerprint: 'f_equal' },
        ],
        mismatches: [{ outcome: 'real', keys: { old: ['0a1b'] } }, { outcome: 'lag' }],
      },
    })
    expect((await json('--top', '1')).json).toMatchObject({ statements: [{ fingerprint: 'f_real' }] })
  })

  it('writes one page that fetches nothing, with every text escaped', async () => {
    const { exit, out } = await shadow(['--html', page])
    expect({ exit, out }).toEqual({ exit: 1, out: `written to ${page}\n` })
    const html = readFileSync(page, 'utf8')
    expect(html).toContain('select &quot;&lt;b&gt;&quot; from \n orders where a = $1 &amp; $2')
    expect(html).not.toContain('<b>')
    expect(html).toContain('<span class="real">1 real</span>')
    expect(html).toContain(`default-src 'none'`)
    expect(html).toContain('@media print')
    expect(html).not.toMatch(/https?:|<script|<link|<img|url\(|@import/)
    expect(html).not.toContain(SECRET)
  })

  it('refuses a file that cannot be written', async () => {
    const { exit, err } = await shadow(['--html', join(page, 'no folder')])
    expect(exit).toBe(2)
    expect(err).toContain('--html: the file could not be written')
  })

  it('refuses exchanged URLs', async () => {
    const { exit, err } = await run(['shadow', '--name', name], {
      OLD_DATABASE_URL: databases.new,
      NEW_DATABASE_URL: databases.old,
    })
    expect(exit).toBe(1)
    expect(err).toContain('exchange the two URLs')
  })

  it('says which database it could not ask, and does not end with 0', async () => {
    const { exit, out } = await run(['shadow', '--name', name], {
      OLD_DATABASE_URL: databases.old,
      NEW_DATABASE_URL: 'postgres://x@127.0.0.1:1/x',
    })
    expect(exit).toBe(1)
    expect(out).toContain('9 reads')
    expect(out).toContain('Not known: the new database at 127.0.0.1:1/x could not be reached')
  })

  describe('counting anew', () => {
    const real = async (): Promise<unknown> => (await json()).json['outcomes']

    it('is only described with --dry-run', async () => {
      expect(await json('--reset', '--dry-run')).toMatchObject({
        exit: 0,
        json: { dryRun: true, processes: 2, compared: 9, real: 1 },
      })
      expect(await real()).toMatchObject({ real: 1 })
    })

    it('asks on a terminal, and does nothing without a yes', async () => {
      for (const typed of ['n\n', '\n', '']) {
        const { exit, out, err } = await shadow(['--reset'], true, typed)
        expect({ exit, out }).toEqual({ exit: 1, out: 'Nothing was changed.\n' })
        expect(err).toBe(
          'Forget what 2 processes found in 9 reads, of which 1 differed for real, and count anew? [y/N] ',
        )
      }
      expect(await real()).toMatchObject({ real: 1 })
    })

    it('is refused where there is nobody to ask', async () => {
      const { exit, err } = await shadow(['--reset'])
      expect(exit).toBe(2)
      expect(err).toContain('pass --yes')
      expect(await real()).toMatchObject({ real: 1 })
    })

    it('is done with a yes, or with --yes', async () => {
      const { exit, out } = await shadow(['--reset'], false, 'yes\n')
      expect(exit).toBe(0)
      expect(out).toContain('Each process counts anew within five seconds.')
      expect(await json()).toMatchObject({ exit: 0, json: { processes: 0, outcomes: { real: 0 } } })
      expect(await json('--reset', '--yes')).toMatchObject({ exit: 0, json: { reset: true } })
    })
  })
})
