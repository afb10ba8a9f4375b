// Contract: how long a client is kept: maxUses, maxLifetimeSeconds, and the process that may end although clients idle.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import { compiled } from '../../support/compiled.js'
import type { Fixture } from './fixture.js'
import { nextTurn } from './turns.js'

const run = promisify(execFile)
const idleProcess = fileURLToPath(new URL('idle-process.ts', import.meta.url))

/** A timer that is due gets its turn only when the loop does, and on a busy machine the answer of a query may come before it. */
async function expired(pool: pg.Pool): Promise<void> {
  while (pool.expiredCount === 0) await nextTurn()
}

export function lifetimeContract(fixture: Fixture): void {
  describe('maxUses', () => {
    it('removes a client when it has been released so often', async () => {
      const pool = await fixture.open({ max: 1, maxUses: 3 })
      const pids: unknown[] = []
      for (let use = 0; use < 7; use += 1) {
        const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid')
        pids.push(rows[0]?.pid)
      }
      const [a, , , b, , , c] = pids
      expect(pids).toEqual([a, a, a, b, b, b, c])
      expect(new Set(pids).size).toBe(3)
    })

    it('counts checkouts, not queries', async () => {
      const pool = await fixture.open({ maxUses: 2 })
      const client = await pool.connect()
      for (let n = 0; n < 5; n += 1) await client.query('select 1')
      client.release()
      expect(pool.totalCount).toBe(1)
      await pool.query('select 1')
      expect(pool.totalCount).toBe(0)
    })

    it('serves those who wait with fresh clients', async () => {
      const pool = await fixture.open({ max: 1, maxUses: 1 })
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => pool.query<{ pid: number }>('select pg_backend_pid() as pid')),
      )
      expect(new Set(answers.map(({ rows }) => rows[0]?.pid)).size).toBe(5)
      expect(pool.totalCount).toBe(0)
    })
  })

  describe('maxLifetimeSeconds', () => {
    it('removes an idle client that has lived so long', async () => {
      const pool = await fixture.open({ maxLifetimeSeconds: 0.05, idleTimeoutMillis: 0 })
      const removed = once(pool, 'remove')
      const client = await pool.connect()
      client.release()
      expect(pool.idleCount).toBe(1)
      expect(await removed).toEqual([client])
      expect([pool.totalCount, pool.expiredCount]).toEqual([0, 0])
    })

    it('counts a client that is out as expired, and removes it when it comes back', async () => {
      const pool = await fixture.open({ maxLifetimeSeconds: 0.03 })
      const client = await pool.connect()
      expect(pool.expiredCount).toBe(0)
      await expired(pool)
      expect([pool.totalCount, pool.expiredCount]).toEqual([1, 1])
      expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
      const removed = once(pool, 'remove')
      client.release()
      expect([pool.totalCount, pool.idleCount, pool.expiredCount]).toEqual([0, 0, 0])
      await removed
    })

    it('serves who waits with a fresh client when the expired one comes back', async () => {
      const pool = await fixture.open({ max: 1, maxLifetimeSeconds: 0.03 })
      const client = await pool.connect()
      const waiting = pool.connect()
      await expired(pool)
      client.release()
      const fresh = await waiting
      expect(fresh).not.toBe(client)
      fresh.release()
    })
  })

  describe('a process that has nothing to do but idle clients', () => {
    async function outputOf(config: object): Promise<string> {
      const { place } = fixture
      const { stdout } = await run(
        process.execPath,
        [compiled(idleProcess), place.subject, place.oldUrl, place.newUrl, JSON.stringify(config)],
        { timeout: 25_000 },
      )
      return stdout
    }

    it('ends at once with allowExitOnIdle', async () => {
      const output = await outputOf({ allowExitOnIdle: true, idleTimeoutMillis: 60_000 })
      expect(output.trim().split('\n')).toEqual(['old', 'idle 1', 'exit'])
    })

    it('ends when the last client has idled out, without it', async () => {
      const output = await outputOf({ idleTimeoutMillis: 50 })
      expect(output.trim().split('\n')).toEqual(['old', 'idle 1', 'remove', 'exit'])
    })
  })
}
