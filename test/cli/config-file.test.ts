// The config file: what may stand in it, what counts over it, and that a wrong one is named without showing a secret.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readConfigFile, type ConfigFile } from '../../src/cli/config-file.js'
import { openMigration, type ConnectFlags } from '../../src/cli/open-migration.js'
import { compiled } from '../support/compiled.js'
import { run } from './run.js'

const SECRET = 'hunter2'
const url = (port: number): string => `postgres://app:${SECRET}@127.0.0.1:${port}/app`

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-file-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)

const OPTIONS = `{ name: 'orders', old: { connectionString: '${url(1)}' }, new: { connectionString: '${url(2)}' } }`

describe('is read from the working directory', () => {
  it.each([
    ['pg-cutover.config.ts', `const options: object = ${OPTIONS}\nexport default options`],
    ['pg-cutover.config.mts', `enum E { A }\nexport default async () => (${OPTIONS})`],
    ['pg-cutover.config.mjs', `export default Promise.resolve(${OPTIONS})`],
    ['pg-cutover.config.mjs', `export default () => (${OPTIONS})`],
    ['pg-cutover.config.js', `module.exports = ${OPTIONS}`],
    [
      'pg-cutover.config.json',
      JSON.stringify({
        name: 'orders',
        old: { connectionString: url(1) },
        new: { host: '127.0.0.1', port: 2, database: 'app' },
      }),
    ],
  ])('%s: %s', async (name, text) => {
    write(name, text)
    const { m } = openMigration({}, {}, await readConfigFile(undefined, folder))
    expect([m.name, m.control.old.address, m.control.new.address]).toEqual([
      'orders',
      '127.0.0.1:1/app',
      '127.0.0.1:2/app',
    ])
  })

  it('with the very options of a service', async () => {
    write(
      'pg-cutover.config.mjs',
      `export default { ...${OPTIONS}, source: 'not looked at', control: true, autoAdvance: true, holdTimeoutMillis: 2000, onDrainTimeout: 'cancel' }`,
    )
    const { m } = openMigration({}, {}, await readConfigFile(undefined, folder))
    expect(m).toMatchObject({
      onDrainTimeout: 'cancel',
      mirror: 'replication',
      timings: { holdTimeoutMillis: 2_000 },
      poolRoles: { old: 'app', new: 'app' },
    })
  })

  it('or from where --config says', async () => {
    write('elsewhere.json', '{"name":"x"}')
    expect(await readConfigFile('elsewhere.json', folder)).toMatchObject({ shown: 'elsewhere.json' })
    const { err } = await run(['status', '--config', 'elsewhere.json'], {}, false, undefined, { folder })
    expect(err).toContain('the old database is not given')
  })

  it('and need not be there', async () => {
    expect(await readConfigFile(undefined, folder)).toBeUndefined()
  })
})

describe('what counts', () => {
  const file = (options: Record<string, unknown>): ConfigFile => ({
    shown: 'pg-cutover.config.js',
    options: {
      name: 'orders',
      old: { connectionString: url(1) },
      new: { connectionString: url(2) },
      ...options,
    },
  })
  const opened = (
    flags: ConnectFlags,
    environment: Record<string, string>,
    options: Record<string, unknown> = {},
  ): ReturnType<typeof openMigration> => openMigration(flags, environment, file(options))

  it('is a flag before the environment, and that before the file', () => {
    expect(opened({}, {}).m.control.old.address).toContain(':1/')
    expect(opened({}, { OLD_DATABASE_URL: url(3) }).m.control.old.address).toContain(':3/')
    expect(opened({ old: url(4) }, { OLD_DATABASE_URL: url(3) }).m.control.old.address).toContain(':4/')
    expect(opened({ name: 'other' }, {}).m.name).toBe('other')
    expect(opened({ mirror: 'none' }, {}, { mirror: 'replication' }).m.mirror).toBe('none')
    expect(opened({ tables: 'a.b, c.d' }, {}, { tables: ['e.f'] }).m.tables).toEqual(['a.b', 'c.d'])
    expect(opened({ applicationRole: ['a'] }, {}, { applicationRoles: ['b'] }).applicationRoles).toEqual([
      'a',
    ])
    expect(
      opened({}, { OLD_REACHED_BY: 'host=a' }, { control: { oldReachedBy: 'host=b' } }).m.reachedBy.old,
    ).toBe('host=a')
  })

  it('is the connection of the coordinator, with the role of the application beside it', () => {
    const control = { old: url(5).replace('app:', 'owner:') }
    const { m } = opened({}, { OLD_DATABASE_URL: url(3) }, { control })
    expect(m.control.old.address).toContain(':5/')
    expect(m.poolRoles).toEqual({ old: 'app', new: 'app' })
    expect(opened({ old: url(6) }, {}, { control }).m.control.old.address).toContain(':6/')
  })

  it('is a named role only where no pool of the file tells it', () => {
    const named = { applicationRole: ['named', 'another'] }
    expect(opened(named, {}).m.poolRoles).toEqual({ old: 'app', new: 'app' })
    const bare = openMigration({ ...named, name: 'orders', old: url(1), new: url(2) }, {}, undefined)
    expect(bare.m.poolRoles).toEqual({ old: 'named', new: 'named' })
    const unknown = openMigration({ name: 'orders', old: url(1), new: url(2) }, {}, undefined)
    expect(unknown.m.poolRoles).toEqual({ old: undefined, new: undefined })
  })

  it('is nothing of another mirror than the one that is asked for', () => {
    const dualWrite = { mapped: { 'a.*': 'b.*' }, batchRows: 5 }
    const given = { mirror: 'dual-write', dualWrite }
    expect(opened({}, {}, given).m.dualWrite).toMatchObject(dualWrite)
    expect(opened({ mapped: 'c.*=d.*' }, {}, given).m.dualWrite).toMatchObject({
      mapped: { 'c.*': 'd.*' },
      batchRows: 5,
    })
    expect(opened({ mirror: 'replication' }, {}, given).m.mirror).toBe('replication')
  })
})

describe('a wrong one ends with 2, and is named', () => {
  it.each([
    [
      'pg-cutover.config.ts',
      `export default {\n name: '${SECRET}' `,
      'pg-cutover.config.ts line 2: it has a syntax error',
    ],
    [
      'pg-cutover.config.mjs',
      `\nexport default { password: ${SECRET} }`,
      'line 2: it uses a name that is not defined',
    ],
    ['pg-cutover.config.json', `{\n "old": ${SECRET} }`, 'pg-cutover.config.json'],
    ['pg-cutover.config.mjs', `export const name = '${SECRET}'`, 'it has no default export'],
    [
      'pg-cutover.config.mjs',
      `export default '${SECRET}'`,
      'the default export is a string; expected an object',
    ],
    ['pg-cutover.config.mjs', `export default () => []`, 'the default export is an array of 0'],
    [
      'pg-cutover.config.mjs',
      `throw new Error('no way to ${url(1)}')`,
      'no way to postgres://…@127.0.0.1:1/app',
    ],
    ['pg-cutover.config.mjs', `import './gone.js'`, 'Cannot find module'],
    [
      'pg-cutover.config.mjs',
      `export default { ...${OPTIONS}, tabels: [] }`,
      'pg-cutover.config.mjs: tabels is no option; did you mean tables?',
    ],
    [
      'pg-cutover.config.mjs',
      `export default { ...${OPTIONS}, name: 'a b' }`,
      'pg-cutover.config.mjs: name is "a b"',
    ],
    [
      'pg-cutover.config.mjs',
      `export default { ...${OPTIONS}, old: '${SECRET}' }`,
      'pg-cutover.config.mjs: old is a string',
    ],
    [
      'pg-cutover.config.mjs',
      `export default { ...${OPTIONS}, control: { older: '${SECRET}' } }`,
      'pg-cutover.config.mjs: control.older is no option',
    ],
    [
      'pg-cutover.config.mjs',
      `export default { ...${OPTIONS}, control: false }`,
      'in direct mode nothing is stored',
    ],
    [
      'pg-cutover.config.mjs',
      `export default { ...${OPTIONS}, applicationRoles: 'app' }`,
      'applicationRoles is a string',
    ],
    [
      'pg-cutover.config.mjs',
      `export default { ...${OPTIONS}, name: undefined }`,
      'the name of the migration is not given',
    ],
  ])('%s: %s', async (name, text, message) => {
    write(name, text)
    const { exit, out, err } = await run(['status'], {}, false, undefined, { folder })
    expect({ exit, out }).toEqual({ exit: 2, out: '' })
    expect(err).toContain(name)
    expect(err).toContain(message)
    expect(err).not.toContain(SECRET)
  })

  // By Node itself: the test's own loader has other words for it.
  it('and so is one that Node cannot parse', () => {
    write('pg-cutover.config.mjs', `export default {\n name: '${SECRET}`)
    const main = compiled(join(import.meta.dirname, '../../src/cli/main.ts'))
    const ran = spawnSync(process.execPath, [main, 'status'], { cwd: folder, encoding: 'utf8', env: {} })
    expect(ran).toMatchObject({
      status: 2,
      stdout: '',
      stderr: 'ERR_OPTION: pg-cutover.config.mjs: it has a syntax error\n',
    })
  })

  it('and so is one that is not there', async () => {
    const { exit, err } = await run(['status', '--config', 'gone.js'], {}, false, undefined, { folder })
    expect({ exit, err }).toEqual({ exit: 2, err: 'ERR_OPTION: gone.js: there is no such file\n' })
  })

  it('and two of them', async () => {
    write('pg-cutover.config.js', '')
    write('pg-cutover.config.json', '{}')
    const { exit, err } = await run(['status'], {}, false, undefined, { folder })
    expect(exit).toBe(2)
    expect(err).toContain('pg-cutover.config.js and pg-cutover.config.json; keep one of them')
  })

  it('names the flag and not the file where the flag is wrong', async () => {
    write('pg-cutover.config.mjs', `export default ${OPTIONS}`)
    const { exit, err } = await run(['status', '--name', 'a b'], {}, false, undefined, { folder })
    expect({ exit, err }).toEqual({ exit: 2, err: expect.stringMatching(/^ERR_OPTION: name is "a b"/) })
  })
})
