// What the benchmark of the alternatives says is missing, what it tells PgBouncer, what it reads there, and what it makes of writes.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { verdictsOf } from '../../bench/alternatives/change.js'
import { seenOf, type Seen, type Write } from '../../bench/alternatives/paced-writes.js'
import { configOf, leadOf, usersOf, versionOf } from '../../bench/alternatives/pgbouncer-words.js'
import { findPgBouncer, imported, packageVersion } from '../../bench/alternatives/present.js'

describe('what is not installed', () => {
  const notFound = (name: string): Error =>
    Object.assign(new Error(`Cannot find package '${name}' imported from /here`), {
      code: 'ERR_MODULE_NOT_FOUND',
    })

  it('is PgBouncer where no folder of programs has it, in a plain line', () => {
    expect(findPgBouncer('', [])).toEqual({
      missing: 'PgBouncer is not installed (Debian package pgbouncer): left out',
    })
  })

  it('is not PgBouncer where a folder has it as a program', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pg-cutover-test-'))
    try {
      const program = join(folder, 'pgbouncer')
      writeFileSync(program, '')
      chmodSync(program, 0o600)
      expect(findPgBouncer(folder, [])).toHaveProperty('missing')
      chmodSync(program, 0o700)
      expect(findPgBouncer(`/nowhere:${folder}`, [])).toEqual({ here: program })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('is named with its package, the one of several that is lacking', async () => {
    const lacking = imported('The wrapper', ['wrapper', 'its-peer'], () =>
      Promise.reject(notFound('its-peer')),
    )
    expect(await lacking).toEqual({
      missing: 'The wrapper is not installed (npm package its-peer): left out',
    })
  })

  it.each([
    ['a failure of what is installed', new Error('wrong'), 'wrong'],
    ['a package that nobody knows of', notFound('another'), 'another'],
  ])('is not %s', async (_, error, message) => {
    await expect(imported('The wrapper', ['wrapper'], () => Promise.reject(error))).rejects.toThrow(message)
  })

  it('has the error of Node itself', async () => {
    const name: string = 'pg-cutover-has-no-such-package'
    const found = await imported('It', [name], () => import(/* @vite-ignore */ name) as Promise<unknown>)
    expect(found).toEqual({ missing: `It is not installed (npm package ${name}): left out` })
  })
})

it('knows the version of a package that does not export its file', () => {
  expect(packageVersion('aws-advanced-nodejs-wrapper')).toMatch(/^\d+\.\d+\.\d+/)
})

describe('PgBouncer', () => {
  const config = configOf({
    port: 6543,
    connections: 16,
    usersFile: '/folder/users',
    url: `postgres://us%20er:it%27s@127.0.0.1:15432/da%20ta`,
  })

  it('is told where its database is, with what it takes for the end of a word doubled', () => {
    const [databases, line, section] = config.split('\n')
    expect([databases, section]).toEqual(['[databases]', '[pgbouncer]'])
    expect(line).toBe(`bench = host='127.0.0.1' port='15432' dbname='da ta' user='us er' password='it''s'`)
  })

  it('listens on loopback alone, in transaction mode, and asks its clients for a password', () => {
    const lines = config.split('\n').slice(3)
    for (const line of [
      'listen_addr = 127.0.0.1',
      'listen_port = 6543',
      'unix_socket_dir =',
      'auth_type = scram-sha-256',
      'auth_file = /folder/users',
      'admin_users = bench',
      'pool_mode = transaction',
      'default_pool_size = 16',
    ])
      expect(lines).toContain(line)
    expect(usersOf('secret')).toBe('"bench" "secret"\n')
  })

  it('says its version in the first line', () => {
    expect(versionOf('PgBouncer 1.18.0\nlibevent 2.1.12-stable\n')).toBe('1.18.0')
    expect(() => versionOf('libevent 2.1.12-stable')).toThrow('expected a version of PgBouncer')
  })

  it.each([
    ['numbers', 15432, 1, true],
    ['texts', '15432', '0', false],
  ])('says where a database leads, in %s', (_, port, paused, expected) => {
    const rows = [
      { name: 'pgbouncer', port: 6543, paused: 0 },
      { name: 'bench', port, paused },
    ]
    expect(leadOf(rows)).toEqual({ port: 15_432, paused: expected })
  })

  it('has to know the database', () => {
    expect(() => leadOf([{ name: 'another', port: 1 }])).toThrow('expected the port of "bench"')
  })
})

describe('writes under a change', () => {
  const OLD = 1
  const NEW = 2
  const write = (due: number, answered: number, port: number | undefined, failure?: string): Write => ({
    due,
    answered,
    port,
    ...(failure !== undefined && { failure }),
  })
  const before = [write(0, 2, OLD), write(10, 12, OLD), write(20, 22, OLD)]

  it('are later by what the longest takes above the median before', () => {
    const seen = seenOf(
      [...before, write(31, 34, OLD), write(32, 60, NEW), write(40, 61, NEW), write(70, 110, NEW)],
      30,
      65,
    )
    expect(seen).toEqual({
      addedMillis: 26,
      mostAddedMillis: 38,
      pauseMillis: 26,
      crossed: 0,
      written: 7,
      failed: 0,
      failure: undefined,
      changeMillis: 35,
    })
  })

  it('are counted where they failed, and where a side did them after the other had begun', () => {
    const seen = seenOf(
      [
        ...before,
        write(31, 40, NEW),
        write(32, 41, OLD),
        write(33, 44, OLD),
        write(34, 50, undefined, 'lost'),
      ],
      30,
      60,
    )
    expect(seen).toMatchObject({
      addedMillis: 9,
      pauseMillis: -4,
      crossed: 2,
      written: 6,
      failed: 1,
      failure: 'lost',
    })
  })

  const moves = (...added: number[]): { seen: Seen[]; unmoved: Seen[]; acknowledged: number; at: 'old' } => ({
    seen: added.map((addedMillis) => ({
      addedMillis,
      mostAddedMillis: 2 * addedMillis,
      pauseMillis: 1,
      crossed: 0,
      written: 100,
      failed: 0,
      failure: undefined,
      changeMillis: 1,
    })),
    unmoved: [],
    acknowledged: 100,
    at: 'old',
  })

  it('are compared quad by quad, with the limit of half, and none may be lost', () => {
    const verdicts = verdictsOf(
      { 'pg-cutover': moves(4, 6, 2, 4, 5, 5), PgBouncer: moves(10, 30, 8, 12, 20, 30) },
      { 'pg-cutover': 0, PgBouncer: 3 },
      true,
    )
    expect(verdicts[0]).toMatchObject({ measured: 0.25, middleHalf: [0.2, 0.3], most: 0.5 })
    expect(verdicts[1]).not.toHaveProperty('most')
    const lost = verdicts.filter(({ what }) => what.includes('acknowledged and not found'))
    expect(lost.map(({ measured, most }) => [measured, most])).toEqual([
      [0, 0],
      [3, undefined],
    ])
  })

  it('are compared with nobody where PgBouncer is not there', () => {
    const verdicts = verdictsOf({ 'pg-cutover': moves(4, 6) }, { 'pg-cutover': 0 }, false)
    expect(verdicts.map(({ unit }) => unit)).toEqual(['writes', 'writes', 'writes'])
  })
})
