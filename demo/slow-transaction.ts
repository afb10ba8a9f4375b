// One writer's transaction that is open when a hold begins, so that the writes of a cutover have something to wait for.
import type { PoolClient } from 'pg'
import type { CutoverEvent, StepEvent } from '../src/index.js'
import type { Run } from './run.js'
import { SLOW, WRITES, one, transactionOn } from './writes.js'
import type { Told } from './writes.js'

/** Lanes of the pictures: the transaction, and what is written just after the hold. */
export const SLOW_LANES = 2

/** At each hold that begins during the work there is such a transaction; it ends so long after. */
export async function withSlowTransactions<T>(run: Run, millis: number, work: () => Promise<T>): Promise<T> {
  const { moving } = run
  const { pool } = moving
  const { writers } = run.settings
  const under: Promise<unknown>[] = []
  let client: PoolClient | undefined
  const checkOut = async (): Promise<void> => {
    client = await pool.connect()
  }
  const onStep = ({ step, state }: StepEvent): void => {
    if (state !== 'done') return
    // Nothing lies between the end of `prepare` and the hold, and `prepare` itself is refused over an old transaction.
    if (step === 'prepare' && client) {
      const own = client
      client = undefined
      under.push(record(run, SLOW, writers, (number) => keepOpen(own, number, millis)))
    }
    // However slow the others are paced, one write waits all the time.
    if (step === 'hold')
      under.push(
        record(run, 'record an event', writers + 1, (number) => WRITES['record an event'].run(pool, number)),
      )
  }
  const onCutover = ({ outcome }: CutoverEvent): void => {
    // Another attempt may follow.
    if (outcome === 'aborted' && !client)
      under.push(checkOut().catch((error) => run.ledger.failed(SLOW, error)))
  }
  await checkOut()
  moving.on('step', onStep)
  moving.on('cutover', onCutover)
  try {
    return await work()
  } finally {
    moving.off('step', onStep)
    moving.off('cutover', onCutover)
    await Promise.all(under)
    client?.release()
  }
}

function keepOpen(client: PoolClient, write: number, millis: number): Promise<Told> {
  return transactionOn(client, async () => {
    const { rows } = await client.query<{ port: number }>(
      `insert into shop.events (day, kind, write) values ('2026-06-01', 'viewed', $1)
       returning inet_server_port() as port`,
      [write],
    )
    // At work, not idle: a silent transaction may wait for one of the held calls, which the drain would let through.
    await client.query('select pg_sleep($1)', [millis / 1000])
    return { port: one(rows).port, place: { table: 'events', key: write } }
  })
}

async function record(
  { ledger, sideOf }: Run,
  kind: typeof SLOW | 'record an event',
  writer: number,
  work: (number: number) => Promise<Told>,
): Promise<void> {
  const number = ledger.issue()
  const sent = performance.now()
  try {
    const { port, effects = [], place } = await work(number)
    const acked = performance.now()
    ledger.acknowledge({ number, kind, process: 0, writer, side: sideOf(port), sent, acked, effects, place })
  } catch (error) {
    ledger.failed(kind, error)
  }
}
