// A real cutover and its way back as OpenTelemetry and Prometheus see them, set up as the examples and the page say.
import { metrics as metricsApi, trace as traceApi } from '@opentelemetry/api'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { get } from 'node:http'
import { text } from 'node:stream/consumers'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { observe } from '../../examples/opentelemetry.js'
import { serveMetrics } from '../../examples/prometheus.js'
import { createCutover, memorySource, type Cutover, type CutoverEvent } from '../../src/index.js'
import { freshDatabases, type FreshDatabases } from '../support/databases.js'

class AskedReader extends MetricReader {
  protected override onShutdown(): Promise<void> {
    return Promise.resolve()
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve()
  }
}

const reader = new AskedReader()
const exporter = new InMemorySpanExporter()
let databases: FreshDatabases
let cutover: Cutover
let page: () => Promise<string>
const stops: (() => unknown)[] = []

beforeAll(async () => {
  databases = await freshDatabases()
  for (const side of ['old', 'new'] as const) {
    const setUp = createCutover({
      name: 'set_up',
      old: { connectionString: databases[side] },
      new: { connectionString: databases[side] },
      source: memorySource('old'),
    })
    await setUp.pool.query('create table item (id int primary key, text text)')
    await setUp.end()
  }
  cutover = createCutover({
    name: `observed_${randomBytes(4).toString('hex')}`,
    old: { connectionString: databases.old },
    new: { connectionString: databases.new },
    source: memorySource('old'),
    control: true,
    drainTimeoutMillis: 200,
  })
  await cutover.ready()
  metricsApi.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
  traceApi.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
  )
  stops.push(observe(cutover))
  const server = serveMetrics(cutover, 0)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  page = async () => {
    const request = get({ host: '127.0.0.1', port, agent: false })
    const [response] = (await once(request, 'response')) as [AsyncIterable<Buffer>]
    return text(response)
  }
  stops.push(() => server.close())
})

afterAll(async () => {
  for (const stop of stops) stop()
  metricsApi.disable()
  traceApi.disable()
  await cutover.end()
  await databases.drop()
})

/** The value of one series on the page, whatever other labels it has. */
async function shown(name: string, label = ''): Promise<number | undefined> {
  const line = (await page()).split('\n').find((one) => one.startsWith(`${name}{`) && one.includes(label))
  return line === undefined ? undefined : Number(line.split(' ').at(-1))
}

async function collected(name: string, attributes: Readonly<Record<string, string>>): Promise<unknown> {
  const { resourceMetrics } = await reader.collect()
  const metric = resourceMetrics.scopeMetrics
    .flatMap((scope) => scope.metrics)
    .find((one) => one.descriptor.name === name)
  return metric?.dataPoints.find((point) =>
    Object.entries(attributes).every(([key, value]) => point.attributes[key] === value),
  )?.value
}

const namesOf = (spans: readonly ReadableSpan[]): string[] => spans.map((span) => span.name)

it('shows the mirror once there is one', async () => {
  expect(await shown('pg_cutover_phase', 'phase="old"')).toBe(1)
  expect(await shown('pg_cutover_mirror_broken')).toBeUndefined()
  await cutover.advance('mirror')
  await cutover.advance('shadow')
  // It is looked at after each change of phase, for which nobody waits.
  await vi.waitFor(() => expect(cutover.status().mirror).toMatchObject({ from: 'old', healthy: true }), {
    timeout: 10_000,
  })
  expect(await shown('pg_cutover_phase', 'phase="shadow"')).toBe(1)
  expect(await shown('pg_cutover_mirror_broken', 'side="new"')).toBe(0)
  expect(await shown('pg_cutover_mirror_depth_bytes', 'side="new"')).toBeGreaterThanOrEqual(0)
  expect(await shown('pg_cutover_mirror_retained_bytes', 'side="new"')).toBeGreaterThan(0)
  expect(JSON.parse(JSON.stringify(cutover.status()))).toMatchObject({ mirror: { to: 'new' } })
  expect(namesOf(exporter.getFinishedSpans())).toEqual([])
})

it('shows the cutover, with each step inside it', async () => {
  const held: Promise<unknown>[] = []
  const onRoute = ({ route }: { readonly route: string }): void => {
    if (route === 'held')
      process.nextTick(() => held.push(cutover.pool.query(`insert into item values (1, 'held')`)))
  }
  cutover.on('route', onRoute)
  const event = await cutover.advance('live')
  cutover.off('route', onRoute)
  expect(held).toHaveLength(1)
  await Promise.all(held)
  expect(event).toBeDefined()
  const { pauseMillis, steps } = event as CutoverEvent

  const pause = 'pg_cutover_cutover_pause_seconds'
  expect(await shown(`${pause}_sum`, 'outcome="done"')).toBeCloseTo(pauseMillis / 1000, 6)
  expect(await shown('pg_cutover_cutovers_total', 'side="new",outcome="done"')).toBe(1)
  expect(await shown('pg_cutover_phase', 'phase="live"')).toBe(1)
  expect(await shown('pg_cutover_epoch')).toBe(1)
  expect(await shown('pg_cutover_hold_time_seconds_total')).toBeGreaterThan(0)
  for (const step of Object.keys(steps))
    expect(await shown('pg_cutover_step_duration_seconds_count', `step="${step}",outcome="done"`)).toBe(1)
  expect(await collected('pg_cutover.phase', { 'pg_cutover.phase': 'live' })).toBe(1)
  expect(await collected('pg_cutover.cutover.pause', { 'pg_cutover.side': 'new' })).toMatchObject({
    count: 1,
  })

  const spans = exporter.getFinishedSpans()
  expect(namesOf(spans)).toEqual([
    ...Object.keys(steps).map((step) => `pg_cutover.step.${step}`),
    'pg_cutover.cutover',
  ])
  const whole = spans.at(-1)
  expect(whole?.attributes).toMatchObject({ 'pg_cutover.outcome': 'done', 'pg_cutover.to': 'new' })
  for (const span of spans.slice(0, -1)) {
    expect(span.parentSpanContext?.spanId).toBe(whole?.spanContext().spanId)
    const took = span.duration[0] * 1_000 + span.duration[1] / 1e6
    expect(Math.abs(took - (steps[span.name.replace('pg_cutover.step.', '')] ?? NaN))).toBeLessThan(50)
  }
})

it('shows what was held', async () => {
  expect(cutover.status().held).toEqual({ calls: 1, reads: 0, longestMillis: expect.any(Number) })
  expect(await shown('pg_cutover_held_calls_total')).toBe(1)
  expect(await shown('pg_cutover_held_longest_seconds')).toBeGreaterThan(0)
})

it('shows the mirror that was turned round', async () => {
  await vi.waitFor(() => expect(cutover.status().mirror).toMatchObject({ from: 'new', healthy: true }), {
    timeout: 10_000,
  })
  expect(await shown('pg_cutover_mirror_broken', 'side="old"')).toBe(0)
  expect(await shown('pg_cutover_mirror_broken', 'side="new"')).toBeUndefined()
  expect(await collected('pg_cutover.mirror.retained', { 'pg_cutover.side': 'old' })).toBeGreaterThan(0)
})

it('shows an attempt that failed, and why', async () => {
  exporter.reset()
  const leased = await cutover.pool.connect()
  try {
    await expect(cutover.rollback()).rejects.toMatchObject({ code: 'ERR_DRAIN_TIMEOUT' })
  } finally {
    leased.release()
  }
  expect(await shown('pg_cutover_cutovers_total', 'side="old",outcome="aborted"')).toBe(1)
  expect(await shown('pg_cutover_cutover_pause_seconds_sum', 'outcome="aborted"')).toBeGreaterThan(0.1)
  const spans = exporter.getFinishedSpans()
  expect(spans.at(-1)).toMatchObject({ name: 'pg_cutover.cutover', status: { code: 2 } })
  expect(spans.find((span) => span.name === 'pg_cutover.step.drain')).toMatchObject({ status: { code: 2 } })
  expect(JSON.stringify(spans.map(({ attributes, status }) => [attributes, status]))).not.toContain(
    'password',
  )
})

it('shows no mirror where the phase has none', async () => {
  await cutover.advance('rampdown')
  await cutover.advance('new')
  expect(cutover.status().mirror).toBeUndefined()
  expect(await page()).not.toMatch(/^pg_cutover_mirror\w*\{/m)
  expect(await collected('pg_cutover.mirror.retained', { 'pg_cutover.side': 'old' })).toBe(0)
})
