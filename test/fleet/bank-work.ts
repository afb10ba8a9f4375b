// The work of one teller: transfers by one statement and by several, and reads that have to see what was acknowledged before.
import { setTimeout as delay } from 'node:timers/promises'
import { isCutoverError } from '../../src/index.js'
import type { Cutover } from '../../src/index.js'
import type { Board, FateLog } from './bank-board.js'
import { ACCOUNTS, TOTAL } from './bank-schema.js'
import { CALL_MILLIS, codeOf, say } from './bank-words.js'
import type { BankOrder } from './bank-words.js'
import { seededRandom } from '../support/seeded-random.js'

export interface Teller {
  readonly cutover: Cutover
  readonly order: BankOrder
  readonly board: Board
  readonly log: FateLog
  readonly writer: number
  acknowledged(): void
  /** Milliseconds for which this process was stopped so far. */
  stopped(): number
}

// What a service has to live with when servers die and networks stall: it asks again. Anything else is a finding.
const RETRYABLE =
  /^(25006|40001|40P01|53300|55P03|57014|57P0[1235]|08...|E(CONN\w*|PIPE|TIMEDOUT|AI_AGAIN)|ERR_(UNREACHABLE|PHASE_UNKNOWN|IN_DOUBT)|READ_TIMEOUT|CONNECT_TIMEOUT)$/
// The server has said that nothing of it was done; the last one is ours, for what was never sent.
const NOTHING_DONE = /^(25006|40001|40P01|55P03)$/

// In one order everywhere, or transfers would wait for each other in a circle.
const TRANSFER = `
  with entry as (insert into public.ledger (writer, nr, source, target, amount) values ($1, $2, $3, $4, $5)),
       both_accounts as materialized (select id from public.account where id in ($3, $4) order by id for update),
       paid as (update public.account set balance = balance + case id when $3 then -$5::int else $5::int end
                 where id in (select id from both_accounts)),
       noted as (update public.mark set value = greatest(value, $2) where writer = $1)
  select`

const MARK = 'select value from public.mark where writer = $1'

export async function workAsTeller(teller: Teller, signal: AbortSignal): Promise<void> {
  const { order, writer, cutover } = teller
  const random = seededRandom(order.seed * 1_009 + writer)
  const own = { nr: order.from, acknowledged: 0 }
  while (!signal.aborted) {
    const chance = random()
    const began = performance.now() - teller.stopped()
    try {
      if (chance < 0.3) await write(teller, own, random, transfer)
      else if (chance < 0.55) await write(teller, own, random, transferStepByStep)
      else if (chance < 0.7) await readOwn(teller, own)
      else if (chance < 0.8) await readTotal(cutover)
      else await readOther(teller, random)
    } catch (error) {
      meet(error)
      // As a service would, before it tries again.
      await delay(10 + random() * 40)
    }
    judgeDuration(teller, performance.now() - teller.stopped() - began)
    await delay(random() * 2 * order.pauseMillis)
  }
}

/** Looks for what others have been told, as often as that: a process that has not moved shows in its reads alone. */
export async function readAlong(teller: Teller, signal: AbortSignal): Promise<void> {
  const random = seededRandom(teller.order.seed * 31 + teller.writer)
  while (!signal.aborted) {
    try {
      await readOther(teller, random)
    } catch (error) {
      meet(error)
    }
    await delay(teller.order.readMillis)
  }
}

interface Own {
  nr: number
  acknowledged: number
}
type Entry = readonly [writer: number, nr: number, source: number, target: number, amount: number]

/** What is thrown when nobody can know what became of the work: its end was sent, and no answer has come. */
class Unknown extends Error {}

async function write(
  teller: Teller,
  own: Own,
  random: () => number,
  act: (cutover: Cutover, entry: Entry) => Promise<void>,
): Promise<void> {
  const { writer, board, log, cutover } = teller
  const nr = ++own.nr
  const source = 1 + Math.floor(random() * ACCOUNTS)
  const target = 1 + ((source + Math.floor(random() * (ACCOUNTS - 1))) % ACCOUNTS)
  try {
    await act(cutover, [writer, nr, source, target, 1 + Math.floor(random() * 9)])
  } catch (error) {
    const unknown = error instanceof Unknown
    const cause = unknown ? error.cause : error
    const nothing = !unknown || NOTHING_DONE.test(codeOf(cause)) || isCutoverError(cause, '57P03')
    log.note(nothing ? 'r' : 'u', writer, nr, codeOf(cause))
    throw cause
  }
  own.acknowledged = nr
  board.acknowledge(writer, nr)
  log.note('a', writer, nr)
  teller.acknowledged()
}

async function transfer(cutover: Cutover, entry: Entry): Promise<void> {
  await cutover.pool.query(TRANSFER, [...entry]).catch((cause: unknown) => {
    throw new Unknown('', { cause })
  })
}

/** Before the COMMIT is sent, nothing is done whatever happens. */
async function transferStepByStep(cutover: Cutover, entry: Entry): Promise<void> {
  const [writer, nr, source, target, amount] = entry
  const client = await cutover.pool.connect()
  let failed: Error | undefined
  const lost = (error: Error): void => void (failed = error)
  client.on('error', lost)
  try {
    await client.query('begin')
    await client.query(
      'insert into public.ledger (writer, nr, source, target, amount) values ($1, $2, $3, $4, $5)',
      [...entry],
    )
    const sums: [number, number][] = [
      [source, -amount],
      [target, amount],
    ]
    for (const [id, sum] of sums.toSorted(([a], [b]) => a - b))
      await client.query('update public.account set balance = balance + $2 where id = $1', [id, sum])
    await client.query('update public.mark set value = greatest(value, $2) where writer = $1', [writer, nr])
    await client.query('commit').catch((cause: unknown) => {
      throw new Unknown('', { cause })
    })
  } catch (error) {
    failed ??= error instanceof Error ? error : new Error(String(error))
    throw error
  } finally {
    client.off('error', lost)
    client.release(failed ?? false)
  }
}

async function readOwn({ cutover, writer }: Teller, own: Own): Promise<void> {
  const least = own.acknowledged
  const value = await readMark(cutover, writer)
  if (value < least || value > own.nr)
    violation(
      `writer ${writer} reads ${value} of its own writes, ${least} is acknowledged and ${own.nr} the last`,
    )
}

async function readOther({ cutover, board, order }: Teller, random: () => number): Promise<void> {
  const other = order.others[Math.floor(random() * order.others.length)]
  if (other === undefined) return
  const least = board.acknowledged(other)
  const value = await readMark(cutover, other)
  if (order.fresh && value < least)
    violation(`a read of writer ${other} that began after ${least} was acknowledged has seen ${value}`)
}

async function readMark(cutover: Cutover, writer: number): Promise<number> {
  const { rows } = await cutover.pool.query<{ value: number }>(MARK, [writer])
  return rows[0]?.value ?? -1
}

async function readTotal(cutover: Cutover): Promise<void> {
  const { rows } = await cutover.pool.query<{ total: number }>(
    'select sum(balance)::int as total from public.account',
  )
  if (rows[0]?.total !== TOTAL) violation(`the accounts hold ${rows[0]?.total} together, not ${TOTAL}`)
}

function meet(error: unknown): void {
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : ''
  if (RETRYABLE.test(code)) say({ e: 'error', code, message })
  else violation(`an error that is not one to retry: ${code} ${message}`)
}

// A hold, its way out, a connection and several statements, each within its own bound.
function judgeDuration({ order }: Teller, millis: number): void {
  const most = (order.timings['holdTimeoutMillis'] ?? 5_000) + 5_000 + 3 * CALL_MILLIS
  if (millis > most) violation(`a call took ${Math.round(millis)} ms`)
}

const violation = (what: string): void => say({ e: 'violation', what })
