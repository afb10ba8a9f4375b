// What a job queue has to keep through a cutover and the way back: every job runs, none twice, and none waits for long.
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { expect } from 'vitest'
import { createCutover, memorySource, type Cutover } from '../../../src/index.js'
import { eventWhere } from '../../postgres/pool/fixture.js'
import { freshDatabases } from '../../support/databases.js'

/** A queue as it is opened through its example. */
export interface OpenQueue {
  add(key: string): Promise<unknown>
  close(): Promise<void>
}

export interface QueueSubject {
  /** Makes its schema as its makers say. */
  install(url: string): Promise<void>
  /** The schema that it has made. */
  readonly schema: string
  /** The longest that a worker waits by itself before it looks for jobs. */
  readonly pollMillis: number
  open(cutover: Cutover, runJob: (key: string) => Promise<void>): Promise<OpenQueue>
  /** Lets jobs that have failed run again now, where the queue would wait by the clock; through the facade. */
  hasten(pool: pg.Pool): Promise<unknown>
  /** How many jobs the database says are not done. */
  readonly unfinished: string
}

interface Job {
  addedAt: number
  runs: { readonly at: number }[]
}

interface Move {
  readonly from: number
  readonly to: number
  readonly pauseMillis: number
}

/** One in so many fails when it is run first. */
const FAILS_ONCE = 10
const CALLERS = 3
/** Added at most in each state of the route; more would only measure how fast the queue is. */
const A_STATE = 60
const PATIENCE_MILLIS = 5_000

/** The whole proof, as one test. Resolves with what it has seen, for the log. */
export async function proveJobQueue(subject: QueueSubject): Promise<string> {
  const databases = await freshDatabases()
  try {
    await Promise.all([subject.install(databases.old), subject.install(databases.new)])
    await emptied(databases.new, subject.schema)
    const cutover = createCutover({
      name: `jobs_${randomBytes(4).toString('hex')}`,
      old: { connectionString: databases.old, max: 8 },
      new: { connectionString: databases.new, max: 8 },
      source: memorySource('old'),
      control: true,
    })
    try {
      return await moveThereAndBack(subject, cutover)
    } finally {
      await cutover.end()
    }
  } finally {
    await databases.drop()
  }
}

async function moveThereAndBack(subject: QueueSubject, cutover: Cutover): Promise<string> {
  await cutover.advance('mirror')
  const jobs = new Map<string, Job>()
  const ran: (() => void)[] = []
  const turned = (): void => {
    for (const wake of ran.splice(0)) wake()
  }
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await new Promise<void>((resolve) => ran.push(resolve))
  }
  const queue = await subject.open(cutover, async (key) => {
    const job = jobs.get(key)
    if (!job) throw new Error(`nobody has added ${key}`)
    job.runs.push({ at: performance.now() })
    // In a job's own statement too, as jobs have them.
    await cutover.pool.query('select 1')
    turned()
    if (fails(key) && job.runs.length === 1) throw new Error('once')
  })
  const waiting = (): number => [...jobs.values()].filter(({ runs }) => runs.length === 0).length
  const done = (): number => jobs.size - waiting()

  const enough = new AbortController()
  let budget = A_STATE
  const mayAdd = (): boolean => enough.signal.aborted || budget-- > 0
  cutover.on('route', () => {
    budget = A_STATE
    turned()
  })
  const caller = async (id: number): Promise<void> => {
    for (let n = 0; !enough.signal.aborted; n++) {
      await until(mayAdd)
      const key = `${id}-${n}`
      const job: Job = { addedAt: performance.now(), runs: [] }
      jobs.set(key, job)
      await queue.add(key)
      job.addedAt = performance.now()
    }
  }
  const callers = Array.from({ length: CALLERS }, (_, id) => caller(id))

  const moves: Move[] = []
  const move = async (work: () => ReturnType<Cutover['advance']>): Promise<void> => {
    const enters = async (state: string): Promise<number> => {
      await eventWhere(cutover, 'route', ({ route }) => route === state)
      return performance.now()
    }
    // The workers are stopped from the one to the other.
    const between = Promise.all([enters('armed'), enters('direct')])
    const event = await work()
    const [from, to] = await between
    moves.push({ from, to, pauseMillis: event?.pauseMillis ?? Number.NaN })
  }
  const after = async (more: number): Promise<void> => {
    const count = done() + more
    // Those of this state may all have been added and done while the move was tidied up.
    budget = A_STATE
    turned()
    await until(() => done() >= count)
  }
  await after(A_STATE / 2)
  await move(() => cutover.advance('live'))
  await after(A_STATE / 2)
  await move(() => cutover.rollback())
  await after(A_STATE / 2)
  enough.abort()
  turned()
  await Promise.all(callers)
  await until(() => waiting() === 0)
  await subject.hasten(cutover.pool)
  await until(() => [...jobs].every(([key, { runs }]) => runs.length >= (fails(key) ? 2 : 1)))
  await queue.close()

  // pg-boss is stopped before its last `complete` is answered, and tells nobody when it is.
  const deadline = performance.now() + PATIENCE_MILLIS
  let left: number | undefined
  do left = (await cutover.pool.query<{ n: number }>(subject.unfinished)).rows[0]?.n
  while (left !== 0 && performance.now() < deadline)
  expect(left).toBe(0)
  const wrong = [...jobs].filter(([key, { runs }]) => runs.length !== (fails(key) ? 2 : 1))
  expect(wrong).toEqual([])
  return compareWaits([...jobs.values()], moves, subject.pollMillis)
}

/** Nobody has waited longer than a move took and the queue sleeps; what else there is, shows in the waits outside moves. */
function compareWaits(jobs: readonly Job[], moves: readonly Move[], pollMillis: number): string {
  const waits = jobs.map(({ addedAt, runs }) => {
    const from = addedAt
    const to = runs[0]?.at ?? Number.POSITIVE_INFINITY
    const met = moves.filter((move) => move.from < to && move.to > from)
    return { millis: to - from, moving: met.reduce((sum, move) => sum + move.to - move.from, 0) }
  })
  const longest = (of: readonly { readonly millis: number }[]): number =>
    Math.max(0, ...of.map(({ millis }) => millis))
  const calm = longest(waits.filter(({ moving }) => moving === 0))
  const moved = waits.filter(({ moving }) => moving > 0)
  expect(moved.length).toBeGreaterThan(0)
  const late = moved.filter(({ millis, moving }) => millis > moving + Math.max(pollMillis, calm))
  expect(late).toEqual([])
  const shown = (millis: number): string => `${Math.round(millis)} ms`
  return (
    `${jobs.length} jobs; waits at most ${shown(calm)} at rest and ${shown(longest(moved))} across a move; stopped for ` +
    moves.map(({ from, to, pauseMillis }) => `${shown(to - from)} (pause ${shown(pauseMillis)})`).join(', ')
  )
}

const fails = (key: string): boolean => Number(key.split('-')[1]) % FAILS_ONCE === 0

/** As a dump of the schema alone leaves the new side; rows there would be in the way of the copy. */
async function emptied(url: string, schema: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ all: string }>(
      `select string_agg(format('%I.%I', schemaname, tablename), ', ') as all from pg_tables where schemaname = $1`,
      [schema],
    )
    await client.query(`truncate ${rows[0]?.all} restart identity cascade`)
  } finally {
    await client.end()
  }
}
