// The demo's command line: what it takes, and what it refuses before anything is started.
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { USAGE, UsageError, readArguments } from '../../demo/arguments.js'

it('has a default for everything', () => {
  expect(readArguments([])).toEqual({
    json: false,
    help: false,
    report: undefined,
    source: 'memory',
    mirror: 'replication',
    seconds: 36,
    rows: 120_000,
    rate: 800,
    writers: 16,
    readers: 8,
    processes: 1,
  })
})

it('takes what the usage names', () => {
  const report = join(tmpdir(), 'report.html')
  const argv = [
    '--json',
    '--report',
    report,
    '--seconds',
    '6',
    '--writers=4',
    '--readers',
    '0',
    '--source',
    'launchdarkly',
    '--mirror',
    'dual-write',
    '--slow-transaction',
    '300',
  ]
  expect(readArguments(argv)).toMatchObject({
    json: true,
    report,
    seconds: 6,
    writers: 4,
    readers: 0,
    source: 'launchdarkly',
    mirror: 'dual-write',
    slowTransactionMillis: 300,
  })
  for (const flag of [
    '--source',
    '--mirror',
    '--json',
    '--report',
    '--seconds',
    '--rows',
    '--rate',
    '--writers',
    '--readers',
    '--slow-transaction',
    '--processes',
    '--help',
  ])
    expect(USAGE).toContain(`  ${flag}`)
})

it('moves several processes by a file, unless it is told otherwise', () => {
  expect(readArguments(['--processes', '8'])).toMatchObject({ processes: 8, source: 'file' })
  expect(readArguments(['--processes=2', '--source=memory', '--slow-transaction=300'])).toMatchObject({
    source: 'memory',
    slowTransactionMillis: 300,
  })
})

it.each([
  ['an unknown flag', ['--jsn'], '--jsn'],
  ['an argument', ['15'], '15'],
  ['a flag without its value', ['--rows'], '--rows'],
  [
    'a number that is none',
    ['--rows', 'many'],
    "--rows takes a whole number from 1000 to 10000000, not 'many'",
  ],
  ['a fraction', ['--seconds', '1.5'], '--seconds'],
  ['a number out of range', ['--writers', '0'], '--writers takes a whole number from 1 to 64'],
  [
    'a transaction that is too short',
    ['--slow-transaction', '49'],
    "--slow-transaction takes a whole number of milliseconds from 50 to 5000, not '49'",
  ],
  ['a transaction that is longer than a hold may be', ['--slow-transaction', '5001'], '--slow-transaction'],
  ['a transaction of no number', ['--slow-transaction', '1s'], "not '1s'"],
  ['a transaction without its time', ['--slow-transaction'], '--slow-transaction'],
  ['an unknown source', ['--source', 'vault'], "--source takes memory or file or launchdarkly, not 'vault'"],
  ['too many processes', ['--processes', '25'], '--processes takes a whole number from 1 to 24'],
  ['a process without a writer', ['--processes', '3', '--writers', '2'], '--writers 2 is too few'],
  [
    'a slow transaction in nobody knows which process',
    ['--processes', '2', '--slow-transaction', '300'],
    'needs --source memory',
  ],
  ['an unknown mirror', ['--mirror', 'glass'], "--mirror takes replication or dual-write, not 'glass'"],
  ['a report in a folder that is not there', ['--report', '/nowhere/at/all.html'], 'cannot be written'],
  ['a report that is a folder', ['--report', tmpdir()], '.html'],
  ['a report without a name', ['--report', ''], '.html'],
])('refuses %s', (_what, argv, message) => {
  expect(() => readArguments(argv)).toThrow(UsageError)
  expect(() => readArguments(argv)).toThrow(message)
})
