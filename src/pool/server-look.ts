// Asks the server itself whether backends of this process are still at work, and who they are.
import { setTimeout as sleep } from 'node:timers/promises'
import { CutoverError } from '../errors.js'
import type pg from 'pg'
import type { LeaseReport } from './gate.js'
import type { InnerClient } from './pg-internals.js'
import type { SidePool } from './side-pool.js'
import { within } from './within.js'

const LOOK_EVERY_MILLIS = 5
// For the names in an error that is due anyway.
const NAME_WITHIN_MILLIS = 500

// One's own role's sessions are seen without pg_read_all_stats. Through a transaction pooler the process ids are not
// the server's, and this finds nothing. An abandoned backend may be idle since it has not read its statement yet.
const AT_WORK = `select pid from pg_catalog.pg_stat_activity
  where pid <> pg_catalog.pg_backend_pid()
    and (pid = any ($1::int[]) and state not in ('idle', 'disabled') or pid = any ($2::int[]))`

const WHO = `select pid, application_name as "applicationName", state,
    coalesce(pg_catalog.host(client_addr) || ':' || client_port, 'local') as "clientAddress",
    query_start::text as "lastStatementStart", pg_catalog.left(query, 200) as "lastStatement"
  from pg_catalog.pg_stat_activity where pid = any ($1::int[])`

/**
 * Resolves when none of the pool's backends is at work. Uses one connection of the pool itself, so the pool has to be
 * drained first. Rejects with `ERR_DRAIN_TIMEOUT` at the deadline, also when the server has not answered until then. A
 * server that cannot be connected to is taken for one that runs nothing of ours, or a dead one could never be left.
 */
export function serverIsQuiet(pool: SidePool, deadlineMillis: number): Promise<void> {
  if (pool.backends.all().length === 0) return Promise.resolve()
  return new Promise((resolve, reject) => {
    let client: InnerClient | undefined
    let atWork: readonly number[] | undefined
    const late = new AbortController()
    const timer = setTimeout(() => {
      late.abort()
      // It hangs in a query; with an error it leaves the pool.
      client?.release(true)
      reject(timeout(pool, deadlineMillis, atWork))
    }, deadlineMillis)
    const look = async (): Promise<void> => {
      pool.muted = true
      while (!late.signal.aborted) {
        const given = await pool.inner.connect().catch(refused)
        if (given === 'gone') return
        if (given === 'refused') {
          await sleep(LOOK_EVERY_MILLIS)
          continue
        }
        if (late.signal.aborted) return given.release()
        client = given
        // Should it fail, the connection or the server has failed, which the next turn finds out.
        atWork = await backendsAtWork(given, pool, deadlineMillis).catch(() => undefined)
        if (late.signal.aborted) return
        client = undefined
        given.release(atWork === undefined)
        if (atWork?.length === 0) return
        await sleep(LOOK_EVERY_MILLIS)
      }
    }
    look()
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer)
        pool.muted = false
      })
  })
}

/** What the server says of the clients that are still out, with what is known without it where it does not answer. */
export async function whoIs(pool: SidePool, leases: readonly LeaseReport[]): Promise<readonly LeaseReport[]> {
  // A connection of its own: the pool may be full, and nothing may start on it.
  const client = new pool.inner.Client(pool.inner.options) as unknown as InnerClient & pg.Client
  client.on('error', () => {})
  const pids = leases.map((lease) => lease.processId)
  const asked = client.connect().then(() => client.query<LeaseReport & { pid: number }>(WHO, [pids]))
  const rows = await within(NAME_WITHIN_MILLIS, asked, 'no answer came').then(
    (result) => {
      client.end(() => {})
      return result.rows
    },
    () => {
      // Perhaps it is still connecting, which `end` would wait for.
      client.connection?.stream.destroy()
      return []
    },
  )
  return leases.map((lease) => {
    const { pid: _, ...seen } = rows.find((row) => row.pid === lease.processId) ?? { pid: 0 }
    return { ...lease, ...seen }
  })
}

export const describeLease = (lease: LeaseReport): string =>
  `"${lease.applicationName ?? ''}" backend ${lease.processId ?? 'connecting'} from ${lease.clientAddress ?? 'here'}, ` +
  `${lease.state ?? 'state unknown'}, last statement started ${lease.lastStatementStart ?? 'never'}` +
  (isListening(lease) ? ' (it holds a client for LISTEN: use cutover.listen, which moves)' : '')

const isListening = ({ state, lastStatement = '' }: LeaseReport): boolean =>
  state === 'idle' && /^\s*listen\s/i.test(lastStatement)

async function backendsAtWork(client: InnerClient, pool: SidePool, millis: number): Promise<number[]> {
  const values = [pool.backends.all(), pool.backends.abandoned()]
  // The application's own timeout may be shorter.
  const question: pg.QueryConfig & { query_timeout: number } = {
    text: AT_WORK,
    values,
    query_timeout: millis,
  }
  const { rows } = await client.query<{ pid: number }>(question)
  return rows.map((row) => row.pid)
}

// An SQLSTATE is an answer: the server lives and has only no connection for us now.
function refused(error: unknown): 'refused' | 'gone' {
  return error instanceof Error && 'severity' in error ? 'refused' : 'gone'
}

function timeout(pool: SidePool, millis: number, atWork: readonly number[] | undefined): CutoverError {
  const why =
    atWork === undefined
      ? `did not say within ${millis} ms whether it is still at work for this process`
      : `was still at work for this process after ${millis} ms (backends ${atWork.join(', ')})`
  return new CutoverError('ERR_DRAIN_TIMEOUT', `the ${pool.side} server ${why}`, {
    details: { backends: atWork ?? [] },
  })
}
