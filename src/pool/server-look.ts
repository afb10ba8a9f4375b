// Asks the server itself whether backends of this process are still at work, for statements that clients gave up on.
import { setTimeout as sleep } from 'node:timers/promises'
import { CutoverError } from '../errors.js'
import type { SidePool } from './side-pool.js'

const LOOK_EVERY_MILLIS = 5

// Sees its own role's sessions without pg_read_all_stats. Through a transaction pooler the process ids are not the
// server's, and this finds nothing.
const AT_WORK = `select pid from pg_catalog.pg_stat_activity
  where pid = any($1::int[]) and pid <> pg_catalog.pg_backend_pid() and state <> 'idle'`

/**
 * Resolves when none of the pool's backends is at work. Uses one connection of the pool itself, so the pool has to be
 * drained first. Rejects with `ERR_DRAIN_TIMEOUT` at the deadline; a server that cannot be reached runs nothing of ours.
 */
export async function serverIsQuiet(pool: SidePool, deadlineMillis: number): Promise<void> {
  const deadline = performance.now() + deadlineMillis
  const backends = pool.backends()
  if (backends.length === 0) return
  const client = await pool.inner.connect().catch(() => undefined)
  if (!client) return
  try {
    for (;;) {
      const { rows } = await client.query<{ pid: number }>(AT_WORK, [backends])
      if (rows.length === 0) return
      if (performance.now() >= deadline) {
        const pids = rows.map((row) => row.pid)
        throw new CutoverError(
          'ERR_DRAIN_TIMEOUT',
          `the ${pool.side} server was still at work for this process after ${deadlineMillis} ms (backends ${pids.join(', ')})`,
          { details: { backends: pids } },
        )
      }
      await sleep(LOOK_EVERY_MILLIS)
    }
  } finally {
    client.release()
  }
}
