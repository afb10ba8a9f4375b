// Contract: the options a pool shows, what it hides, and those that reach the server.
import { inspect } from 'node:util'
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import type { Fixture } from './fixture.js'

const SECRET = 'the-secret-nobody-may-print'

export function optionsContract(fixture: Fixture): void {
  describe('options', () => {
    it('have the defaults of pg-pool', async () => {
      const pool = await fixture.open()
      expect(pool.options).toMatchObject({
        max: 10,
        min: 0,
        maxUses: Infinity,
        maxLifetimeSeconds: 0,
        idleTimeoutMillis: 10_000,
        allowExitOnIdle: false,
      })
    })

    it('show what was given', async () => {
      const given = { max: 7, min: 2, idleTimeoutMillis: 123, connectionTimeoutMillis: 456, maxUses: 9 }
      const pool = await fixture.open({ ...given, application_name: 'shown' })
      expect(pool.options).toMatchObject({ ...given, application_name: 'shown' })
      const { host, port, user, database } = fixture.config()
      expect(pool.options).toMatchObject({ host, port, user, database })
    })

    it('take poolSize as an older name of max, and 0 as not given', async () => {
      const older: pg.PoolConfig & { poolSize: number } = { poolSize: 3 }
      expect((await fixture.open(older)).options.max).toBe(3)
      expect((await fixture.open({ max: 0 })).options.max).toBe(10)
    })

    it('are a copy: what the caller does to the config afterwards has no effect', async () => {
      const config: pg.PoolConfig = { max: 4 }
      const pool = await fixture.open(config)
      config.max = 1
      expect(pool.options.max).toBe(4)
    })

    it('are read again at each checkout', async () => {
      const pool = await fixture.open({ max: 1 })
      const first = await pool.connect()
      pool.options.max = 2
      const second = await pool.connect()
      expect(pool.totalCount).toBe(2)
      first.release()
      second.release()
    })

    it('have the password, but not where it is listed or printed', async () => {
      const pool = await fixture.open({ password: SECRET })
      expect(pool.options.password).toBe(SECRET)
      expect(Object.keys(pool.options)).not.toContain('password')
      expect(JSON.stringify(pool.options)).not.toContain(SECRET)
    })

    it('are printed with the pool without the password, at any depth', async () => {
      const pool = await fixture.open({ password: SECRET })
      expect(inspect(pool, { depth: Infinity })).not.toContain(SECRET)
    })

    it('hide the key of TLS', async () => {
      const ssl = { key: SECRET, ca: 'public' }
      const pool = await fixture.open({ ssl })
      expect(inspect(pool, { depth: Infinity })).not.toContain(SECRET)
      expect(pool.options.ssl).toMatchObject({ ca: 'public' })
      expect(ssl.key).toBe(SECRET)
    })

    it('may be a URL', async () => {
      const pool = await fixture.open({ connectionString: fixture.place.oldUrl })
      expect((await pool.query('select side from marker')).rows).toEqual([{ side: 'old' }])
    })

    it('reach the server', async () => {
      const pool = await fixture.open({
        application_name: 'from the contract',
        options: '-c search_path=elsewhere -c work_mem=1234kB',
        client_encoding: 'utf8',
      })
      const { rows } = await pool.query(
        `select current_setting('application_name') as name, current_setting('search_path') as path,
                current_setting('work_mem') as memory, current_setting('client_encoding') as encoding`,
      )
      expect(rows).toEqual([
        { name: 'from the contract', path: 'elsewhere', memory: '1234kB', encoding: 'UTF8' },
      ])
    })

    it('let keepAlive be set', async () => {
      const pool = await fixture.open({ keepAlive: true, keepAliveInitialDelayMillis: 1000 })
      expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    })

    it('let queries of one client overlap with pipeline', async () => {
      const pool = await fixture.open({ pipeline: true, max: 1 })
      const client = await pool.connect()
      expect(client.pipeline).toBe(true)
      const answers = await Promise.allSettled([
        client.query('select 1 as n'),
        client.query('select 1/0'),
        client.query('select $1::int as n', [3]),
      ])
      expect(answers).toMatchObject([
        { value: { rows: [{ n: 1 }] } },
        { reason: { code: '22012' } },
        { value: { rows: [{ n: 3 }] } },
      ])
      client.release()
      expect((await pool.query('select 4 as n')).rows).toEqual([{ n: 4 }])
    })
  })
}
