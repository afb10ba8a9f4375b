// One process of a benchmarked fleet: some members of a migration, each with paced writers.
import { setTimeout as delay } from 'node:timers/promises'
import { createCutover, memorySource, type Cutover, type Side } from '../../src/index.js'
import { beginningOfClock } from '../../test/support/one-clock.js'
import { seededRandom } from '../../test/support/seeded-random.js'
import type { Answer, FleetOrder, Question, Span, Told } from './words.js'

const WRITE = 'update item set n = n + 1 where id = $1 returning inet_server_port() as port'

const order = JSON.parse(process.argv[2] ?? '{}') as FleetOrder
const random = seededRandom(order.seed)
const shift = beginningOfClock()
process.once('disconnect', () => process.exit(1))

const cutovers = Array.from({ length: order.members }, () => member())
await Promise.all(cutovers.map((cutover) => cutover.ready()))

let seen = beginning()
let going: AbortController | undefined
let writing: Promise<unknown> = Promise.resolve()

function member(): Cutover {
  const pool = (connectionString: string) => ({ connectionString, max: order.callers + 1 })
  const cutover = createCutover({
    name: order.name,
    old: pool(order.urls.old),
    new: pool(order.urls.new),
    source: memorySource('old'),
    ...(order.control && { control: true, mirror: order.mirror, shadow: false }),
  })
  cutover.pool.on('error', () => undefined)
  return cutover
}

function beginning() {
  const span = (): { -readonly [K in keyof Span]: Span[K] } => ({
    first: undefined,
    last: undefined,
    count: 0,
  })
  return {
    spans: { old: span(), new: span() } satisfies Record<Side, Span>,
    longestMillis: 0,
    failed: 0,
    failure: undefined as string | undefined,
    cpu: process.cpuUsage(),
    at: performance.now(),
  }
}

async function write(cutover: Cutover): Promise<void> {
  const sent = performance.now()
  try {
    const { rows } = await cutover.pool.query<{ port: number }>(WRITE, [
      1 + Math.floor(random() * order.items),
    ])
    const acked = performance.now()
    const span = seen.spans[rows[0]?.port === order.oldPort ? 'old' : 'new']
    span.first ??= acked + shift
    span.last = acked + shift
    span.count++
    seen.longestMillis = Math.max(seen.longestMillis, acked - sent)
  } catch (error) {
    seen.failed++
    seen.failure ??= error instanceof Error ? error.message : String(error)
  }
}

/** At a steady mean pace; what a slow answer costs is not made up for. */
async function keepWriting(cutover: Cutover, meanMillis: number, signal: AbortSignal): Promise<void> {
  let due = performance.now() + meanMillis * random()
  while (!signal.aborted) {
    await delay(Math.max(0, due - performance.now()), undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    await write(cutover)
    due = Math.max(due + meanMillis * (0.5 + random()), performance.now())
  }
}

function told(): Told {
  const { user, system } = process.cpuUsage(seen.cpu)
  const { spans, longestMillis, failed, failure, at } = seen
  return {
    ...spans,
    longestMillis,
    failed,
    failure,
    cpuMicros: user + system,
    millis: performance.now() - at,
  }
}

async function stop(): Promise<void> {
  going?.abort()
  going = undefined
  await writing
}

function go(): void {
  going ??= new AbortController()
  const { signal } = going
  const meanMillis = (1000 * order.callers * cutovers.length) / order.rate
  writing = Promise.all(
    cutovers.flatMap((cutover) =>
      Array.from({ length: order.callers }, () => keepWriting(cutover, meanMillis, signal)),
    ),
  )
}

async function end(): Promise<void> {
  await stop()
  await Promise.all(cutovers.map((cutover) => cutover.end()))
}

const DUTIES: Readonly<
  Record<Exclude<Question['do'], 'advance'>, () => Answer | Promise<Answer | void> | void>
> = {
  go,
  stop,
  end,
  begin() {
    seen = beginning()
  },
  tell: told,
}

async function answer(question: Question): Promise<Answer | void> {
  return question.do === 'advance' ? cutovers[0]?.advance(question.to) : DUTIES[question.do]()
}

process.on('message', ({ nr, question }: { nr: number; question: Question }) => {
  answer(question).then(
    (value) => process.send?.({ nr, value }),
    (error: unknown) => process.send?.({ nr, error: error instanceof Error ? error.message : String(error) }),
  )
})
process.send?.({ nr: 0 })
