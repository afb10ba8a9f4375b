// The command line: what it refuses, with which exit code, and that no secret is ever printed.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { compiled } from '../support/compiled.js'
import { run } from './run.js'

const root = join(import.meta.dirname, '../..')
const SECRET = 'hunter2'
const NOWHERE = `postgres://app:${SECRET}@127.0.0.1:1/app`

const both = ['--name', 'orders', '--old', NOWHERE, '--new', NOWHERE.replace('/app', '/other')]

const BY_RECORD = ['--mirror', 'dual-write']

describe('wrong usage ends with 2', () => {
  it.each([
    [[], 'Usage: pg-cutover'],
    [['moveit'], "unknown command 'moveit'"],
    [['stats'], '(Did you mean status?)'],
    [['status'], 'the name of the migration is not given; pass --name'],
    [['status', '--name', 'orders', '--verbose'], "unknown option '--verbose'"],
    [['status', 'orders', '--name', 'orders'], 'too many arguments'],
    [
      ['status', '--name', 'orders'],
      'the old database is not given; pass --old postgres://… or set OLD_DATABASE_URL',
    ],
    [['status', '--name', 'orders', '--old', NOWHERE], 'the new database is not given'],
    [['status', ...both, '--new', SECRET], 'what is given for the new database is no URL'],
    [
      ['status', ...both, '--new', `mysql://app:${SECRET}@db/app`],
      'what is given for the new database is no URL',
    ],
    [
      ['status', ...both, '--new', `postgres://app:${SECRET}@db:port/app`],
      'what is given for the new database is no URL',
    ],
    [['status', ...both, '--name', 'a b'], 'name is "a b"; expected 1 to 63 letters'],
    [['status', ...both, '--tables', 'orders,'], 'expected an array of at least one table'],
    [['status', ...both, '--mirror', 'dual'], 'Allowed choices are replication, dual-write, none'],
    [['status', ...both, '--mapped', 'a.b=c.d'], '--mapped belongs to --mirror dual-write'],
    [['status', ...both, ...BY_RECORD, '--mapped', 'a.b'], '--mapped has "a.b"; expected pairs'],
    [['status', ...both, ...BY_RECORD, '--mapped', 'a.b=c,a.*=d.*'], 'dualWrite.mapped'],
    [['status', ...both, ...BY_RECORD, '--mapped', 'a.b=c.d,a.b=e.f'], '--mapped names a.b twice'],
    [['mirror', ...both, '--mirror', 'none'], '--mirror none leaves nothing to be shown'],
    [['mirror', ...both, '--watch', '0'], 'expected seconds, 0.1 or more'],
    [['set-aside', ...both], 'only a mirror by dual-write has something to set aside'],
    [['set-aside', ...both, ...BY_RECORD, '--key', '1'], '--key belongs to --table'],
    [['set-aside', ...both, ...BY_RECORD, '--yes'], '--yes and --dry-run belong to --table and --again'],
    [['preflight', ...both, '--stage', 'now'], 'Allowed choices are mirror, cutover'],
    [['preflight', ...both, '--dry-run'], "unknown option '--dry-run'"],
    [['shadow', ...both, '--top', '0'], "argument '0' is invalid. expected a whole number above 0"],
    [['shadow', ...both, '--yes'], '--yes and --dry-run belong to --reset'],
    [['shadow', ...both, '--dry-run'], '--yes and --dry-run belong to --reset'],
    [['shadow', ...both, '--reset', '--top', '3'], '--reset shows no report'],
    [['shadow', ...both, '--html', '/nowhere/at/all.html'], '--html: the file could not be written'],
  ])('%j', async (args, message) => {
    const { exit, out, err } = await run(args)
    expect({ exit, out }).toEqual({ exit: 2, out: '' })
    expect(err).toContain(message)
    expect(err).not.toContain(SECRET)
  })
})

describe('help', () => {
  it.each([['--help'], ['status', '--help'], ['help', 'recover']])(
    '%s is asked for and ends with 0',
    async (...args) => {
      const { exit, out, err } = await run(args)
      expect({ exit, err }).toEqual({ exit: 0, err: '' })
      expect(out).toContain(
        'Exit codes: 0 done, 1 refused or failed and nothing changed, 2 wrong usage, 3 needs "recover",\n4 done, but',
      )
    },
  )

  it.each([
    ['shadow', 'compared reads have differed for real'],
    ['mirror', 'a mirror by dual-write is not at work'],
    ['set-aside', 'it lists something that is stuck'],
    ['indexes', 'some are missing'],
  ])('of %s says what else its exit code means', async (command, where) => {
    const { out } = await run([command, '--help'])
    expect(out).toContain(`It ends with 1 as well where ${where}`)
  })

  it('says its version', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    expect(await run(['--version'])).toEqual({ exit: 0, out: `${version}\n`, err: '' })
  })
})

describe('databases that do not answer', () => {
  it.each([
    ['status'],
    ['recover'],
    ['recover', '--dry-run'],
    ['preflight'],
    ['mirror', ...BY_RECORD],
    ['set-aside', ...BY_RECORD],
    ['indexes'],
    ['shadow'],
    ['shadow', '--reset', '--yes'],
    ['shadow', '--reset', '--dry-run'],
  ])('%s %s ends with 1', async (...args) => {
    const { exit, out, err } = await run([...args, ...both])
    expect(exit).toBe(1)
    expect(out + err).toContain('127.0.0.1:1/app')
    expect(out + err).toContain('ECONNREFUSED')
    expect(out + err).not.toContain(SECRET)
  })

  it('says the same in one JSON object', async () => {
    const { exit, out, err } = await run(['status', ...both, '--json'])
    expect({ exit, err }).toEqual({ exit: 1, err: '' })
    expect(JSON.parse(out)).toMatchObject({
      name: 'orders',
      phase: null,
      sides: { old: { reachable: false, reason: expect.stringContaining('ECONNREFUSED') } },
      needsRecover: false,
    })
    expect(out).not.toContain(SECRET)
  })

  it('takes the URLs from the environment', async () => {
    const environment = { OLD_DATABASE_URL: NOWHERE, NEW_DATABASE_URL: NOWHERE.replace(':1/', ':2/') }
    const { out } = await run(['status', '--name', 'orders'], environment)
    expect(out).toContain('127.0.0.1:1/app')
    expect(out).toContain('127.0.0.1:2/app')
  })
})

describe('colours', () => {
  it.each([
    ['on a terminal', true, {}, true],
    ['with NO_COLOR', true, { NO_COLOR: '1' }, false],
    ['in a pipe', false, {}, false],
  ])('%s', async (_, isTTY, environment, coloured) => {
    const { out } = await run(['status', ...both], environment, isTTY)
    expect(out.includes('\u001B[')).toBe(coloured)
  })
})

describe('the program', () => {
  it('is the same command line, and ends with its exit code', () => {
    const ran = spawnSync(
      process.execPath,
      [compiled(join(root, 'src/cli/main.ts')), 'status', '--name', 'x'],
      {
        cwd: root,
        encoding: 'utf8',
        env: { PATH: process.env['PATH'] },
      },
    )
    expect(ran).toMatchObject({ status: 2, stdout: '' })
    expect(ran.stderr).toContain('the old database is not given')
  })
})
