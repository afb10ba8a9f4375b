// Waits until nothing that began before the hold still runs on the side being left, in this process and by the server's view.
import { setTimeout as delay } from 'node:timers/promises'
import type { ControlConnection } from '../control/control-connection.js'
import { CutoverError } from '../errors.js'
import { assertHeld } from './attempt.js'
import type { Attempt } from './attempt.js'

/** An open transaction of the application, as the server sees it. */
export interface OpenTransaction {
  readonly pid: number
  readonly applicationName: string
  readonly clientAddress: string
  readonly state: string
  readonly queryStart: string
  readonly transactionStart: string
  /** May hold users' values: for `details`, never for a message. */
  readonly query: string
}

/** An {@link OpenTransaction} out of `pg_stat_activity a`. */
export const TRANSACTION_COLUMNS = `a.pid, coalesce(a.application_name, '') as "applicationName",
         coalesce(host(a.client_addr) || ':' || a.client_port, a.backend_type) as "clientAddress",
         coalesce(a.state, 'unknown') as state, coalesce(a.query_start::text, '') as "queryStart",
         coalesce(a.xact_start::text, '') as "transactionStart", left(a.query, 1000) as query`

// Read transactions of the hold run in pools of our own name, and walsenders are no client backends.
const OPEN_TRANSACTIONS = `
  select ${TRANSACTION_COLUMNS}
    from pg_stat_activity a
   where a.datname = current_database() and a.backend_type = 'client backend' and a.pid <> pg_backend_pid()
     and coalesce(a.application_name, '') not like 'pg-cutover%'
     and (a.xact_start <= coalesce(to_timestamp($1::float8 / 1000), statement_timestamp()) or (a.pid = any ($2::int[]) and a.state <> 'idle'))
   order by a.xact_start`

export async function drain(a: Attempt, deadline: number): Promise<void> {
  const hold = assertHeld(a, 'drain')
  // Somebody who was told to cancel leaves the cancelled a moment to be gone.
  const cancelAt = deadline - Math.min(500, (deadline - performance.now()) / 2)
  if (a.m.onDrainTimeout === 'cancel') void cancelAfter(a, cancelAt)
  await Promise.all([a.m.gate.drain(Math.max(1, deadline - performance.now())), a.barrier?.drained(deadline)])
  // By the server's clock at the first look, which is after the hold. Whatever begins later meets the fence.
  let before: number | undefined
  for (;;) {
    assertHeld(a, 'drain')
    const { now, open } = await look(a.left, before, backendsOf(a))
    before ??= now
    hold.serverEnds ??= now + (hold.ends - performance.now())
    if (open.length === 0) return
    if (performance.now() >= deadline) throw drainTimeout(a, open)
    await delay(1)
  }
}

/** Of the application's pools, in every process. */
const backendsOf = ({ m, from, barrier }: Attempt): readonly number[] => [
  ...m.gate.backends(from),
  ...(barrier?.backends(from) ?? []),
]

/** Has the backend read, before the pause, what the look will need. */
export const warmDrain = (a: Attempt): Promise<unknown> => look(a.left, undefined, backendsOf(a))

async function look(
  connection: ControlConnection,
  before: number | undefined,
  backends: readonly number[],
): Promise<{ now: number; open: Row[] }> {
  const [row] = await connection.run<{ now: number; open: Row[] | null }>(
    `select extract(epoch from statement_timestamp())::float8 * 1000 as now,
            (select json_agg(o) from (${OPEN_TRANSACTIONS}) o) as open`,
    [before ?? null, backends],
    'cutover_drain',
  )
  return { now: row?.now ?? 0, open: row?.open ?? [] }
}

type Row = OpenTransaction & Record<string, unknown>

async function cancelAfter(a: Attempt, cancelAt: number): Promise<void> {
  await delay(Math.max(0, cancelAt - performance.now()), undefined, { ref: false })
  if (a.over || a.fence !== 'none') return
  // A statement is cancelled, which its transaction survives; whoever sits idle in one can only be sent away.
  await a.rescue[a.from]
    .run(
      `select case when o.state = 'active' then pg_cancel_backend(o.pid) else pg_terminate_backend(o.pid) end
         from (${OPEN_TRANSACTIONS}) o`,
      [null, backendsOf(a)],
    )
    .catch((error: unknown) => {
      a.m.events.publish('warning', {
        name: a.m.name,
        code: 'ERR_DRAIN_TIMEOUT',
        message: `open transactions could not be cancelled: ${error instanceof Error ? error.message : 'unknown'}`,
      })
    })
}

function drainTimeout(a: Attempt, open: readonly Row[]): CutoverError {
  return new CutoverError(
    'ERR_DRAIN_TIMEOUT',
    `${open.length} transactions still open on the ${a.from} database after ${a.m.timings.drainTimeoutMillis} ms: ` +
      open.slice(0, 5).map(describeTransaction).join('; '),
    { details: { transactions: open } },
  )
}

export const describeTransaction = (open: OpenTransaction): string =>
  `"${open.applicationName}" pid ${open.pid} from ${open.clientAddress}, ${open.state}, ` +
  `query started ${open.queryStart}, transaction started ${open.transactionStart}`
