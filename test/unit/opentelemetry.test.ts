// What OpenTelemetry's own SDK collects of a migration: every metric of the table, and a trace for each attempt.
import { metrics, SpanStatusCode, trace, type HrTime } from '@opentelemetry/api'
import { DataPointType, MeterProvider, MetricReader, type MetricData } from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { expect, it } from 'vitest'
import { BUCKETS, INSTRUMENTS } from '../../adapters/observability/instruments.js'
import { openTelemetry } from '../../adapters/opentelemetry.js'
import type { CutoverEvent, StepEvent } from '../../src/index.js'
import { someMirror, someRecord, unconnected } from '../support/unconnected.js'

/** Collects when it is asked, and has no timer. */
class AskedReader extends MetricReader {
  async read(): Promise<ReadonlyMap<string, MetricData>> {
    const { resourceMetrics, errors } = await this.collect()
    expect(errors).toEqual([])
    const all = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics)
    return new Map(all.map((metric) => [metric.descriptor.name, metric]))
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve()
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve()
  }
}

function meterAndReader(): { reader: AskedReader; meter: ReturnType<MeterProvider['getMeter']> } {
  const reader = new AskedReader()
  return { reader, meter: new MeterProvider({ readers: [reader] }).getMeter('test') }
}

function tracerAndExporter(): {
  exporter: InMemorySpanExporter
  tracer: ReturnType<BasicTracerProvider['getTracer']>
} {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  return { exporter, tracer: provider.getTracer('test') }
}

const valueOf = (metric: MetricData | undefined, attributes: Readonly<Record<string, string>>): unknown =>
  metric?.dataPoints.find((point) =>
    Object.entries(attributes).every(([name, value]) => point.attributes[`pg_cutover.${name}`] === value),
  )?.value

const millisOf = ([seconds, nanos]: HrTime): number => seconds * 1_000 + nanos / 1e6

const STEP: Pick<StepEvent, 'name' | 'epoch' | 'direction'> = {
  name: 'orders',
  epoch: 3,
  direction: 'old→new',
}
const ENDED: Omit<CutoverEvent, 'outcome'> = { ...STEP, pauseMillis: 12, longestHeldMillis: 9, steps: {} }

it('makes each metric of the table with its unit and what it says', async () => {
  const { cutover, say } = await unconnected()
  say({ mirror: { ...someRecord, lagBytes: 4096 }, inFlight: { old: 3, new: 0 } })
  const { reader, meter } = meterAndReader()
  const stop = openTelemetry(cutover, { metrics }, { meter })
  cutover.emit('warning', { name: 'orders', code: 'LISTEN', message: '' })
  cutover.emit('step', { ...STEP, step: 'drain', state: 'done', millis: 40 })
  cutover.emit('cutover', { ...ENDED, outcome: 'done' })
  const read = await reader.read()
  const types = {
    state: DataPointType.GAUGE,
    gauge: DataPointType.GAUGE,
    level: DataPointType.SUM,
    counter: DataPointType.SUM,
    histogram: DataPointType.HISTOGRAM,
  }
  expect([...read.keys()].toSorted()).toEqual(
    Object.values(INSTRUMENTS)
      .map(({ name }) => `pg_cutover.${name}`)
      .toSorted(),
  )
  for (const { name, kind, unit, help, labels } of Object.values(INSTRUMENTS)) {
    const metric = read.get(`pg_cutover.${name}`)
    expect(metric).toMatchObject({ descriptor: { unit, description: help }, dataPointType: types[kind] })
    if (metric?.dataPointType === DataPointType.SUM) expect(metric.isMonotonic).toBe(kind === 'counter')
    const attributes = ['migration', ...labels].map((label) => `pg_cutover.${label}`)
    for (const point of metric?.dataPoints ?? [])
      expect(Object.keys(point.attributes).toSorted()).toEqual(attributes.toSorted())
  }
  expect(valueOf(read.get('pg_cutover.phase'), { phase: 'old', migration: 'orders' })).toBe(1)
  expect(valueOf(read.get('pg_cutover.phase'), { phase: 'live' })).toBe(0)
  expect(valueOf(read.get('pg_cutover.in_flight'), { side: 'old' })).toBe(3)
  expect(valueOf(read.get('pg_cutover.mirror.lag'), { side: 'new' })).toBe(1.5)
  expect(valueOf(read.get('pg_cutover.cutovers'), { side: 'new', outcome: 'done' })).toBe(1)
  const pause = valueOf(read.get('pg_cutover.cutover.pause'), { side: 'new', outcome: 'done' })
  expect(pause).toMatchObject({ count: 1, sum: 0.012, buckets: { boundaries: BUCKETS } })
  stop()
})

it('asks for the status once a collection, and not at all when it was stopped', async () => {
  const migration = await unconnected()
  const { reader, meter } = meterAndReader()
  const stop = openTelemetry(migration.cutover, { metrics }, { meter })
  const before = migration.asked
  await reader.read()
  expect(migration.asked).toBe(before + 1)
  stop()
  await reader.read()
  expect(migration.asked).toBe(before + 1)
  expect(migration.cutover.eventNames()).toEqual([])
})

it('has several migrations side by side', async () => {
  const { reader, meter } = meterAndReader()
  const [orders, users] = [await unconnected('orders'), await unconnected('users')]
  const stops = [orders, users].map(({ cutover }) => openTelemetry(cutover, { metrics }, { meter }))
  orders.say({ waiting: 1 })
  users.say({ waiting: 2 })
  const waiting = async (): Promise<unknown[]> => {
    const read = (await reader.read()).get('pg_cutover.waiting')
    return ['orders', 'users'].map((migration) => valueOf(read, { migration }))
  }
  expect(await waiting()).toEqual([1, 2])
  stops[0]?.()
  orders.say({ waiting: 3 })
  users.say({ waiting: 4 })
  // The SDK keeps the last value of the one that has stopped.
  expect(await waiting()).toEqual([1, 4])
  stops[1]?.()
})

it('shows nothing of a mirror that is gone', async () => {
  const { cutover, say } = await unconnected()
  const { reader, meter } = meterAndReader()
  const stop = openTelemetry(cutover, { metrics }, { meter })
  say({ mirror: { ...someMirror, healthy: false } })
  const values = async (): Promise<unknown[]> => {
    const read = await reader.read()
    return ['broken', 'lag', 'depth'].map((name) =>
      valueOf(read.get(`pg_cutover.mirror.${name}`), { side: 'new' }),
    )
  }
  expect(await values()).toEqual([1, 1.5, 4096])
  say({})
  expect(await values()).toEqual([0, 0, 0])
  stop()
})

it('makes a trace of each attempt, with its steps as they were', async () => {
  const { cutover } = await unconnected()
  const { exporter, tracer } = tracerAndExporter()
  const stop = openTelemetry(cutover, { trace }, { tracer })
  const began = Date.now()
  for (const [step, millis] of [
    ['prepare', 0.4],
    ['drain', 0.2],
  ] as const) {
    cutover.emit('step', { ...STEP, step, state: 'started' })
    cutover.emit('step', { ...STEP, step, state: 'done', millis })
  }
  expect(exporter.getFinishedSpans()).toEqual([])
  cutover.emit('cutover', { ...ENDED, outcome: 'done' })
  const spans = exporter.getFinishedSpans()
  expect(spans.map((span) => span.name)).toEqual([
    'pg_cutover.step.prepare',
    'pg_cutover.step.drain',
    'pg_cutover.cutover',
  ])
  const [prepare, drain, whole] = spans
  expect(whole?.attributes).toEqual({
    'pg_cutover.migration': 'orders',
    'pg_cutover.epoch': 3,
    'pg_cutover.from': 'old',
    'pg_cutover.to': 'new',
    'pg_cutover.outcome': 'done',
    'pg_cutover.cutover.pause': 0.012,
    'pg_cutover.held.longest': 0.009,
  })
  expect(whole?.parentSpanContext).toBeUndefined()
  for (const span of [prepare, drain]) {
    expect(span?.parentSpanContext?.spanId).toBe(whole?.spanContext().spanId)
    expect(span?.spanContext().traceId).toBe(whole?.spanContext().traceId)
    expect(span?.status.code).toBe(SpanStatusCode.UNSET)
    expect(millisOf(span?.startTime ?? [0, 0])).toBeGreaterThanOrEqual(millisOf(whole?.startTime ?? [0, 0]))
    expect(millisOf(span?.endTime ?? [0, 0])).toBeLessThanOrEqual(millisOf(whole?.endTime ?? [0, 0]))
  }
  expect(Math.abs(millisOf(whole?.startTime ?? [0, 0]) - began)).toBeLessThan(1_000)
  stop()
})

it('shows where and why an attempt failed, and is ready for the next one', async () => {
  const { cutover } = await unconnected()
  const { exporter, tracer } = tracerAndExporter()
  const stop = openTelemetry(cutover, { trace }, { tracer })
  for (const outcome of ['aborted', 'pending'] as const) {
    cutover.emit('step', { ...STEP, step: 'fence', state: 'started' })
    cutover.emit('step', { ...STEP, step: 'fence', state: 'failed', millis: 3, detail: 'locked by 17' })
    cutover.emit('cutover', { ...ENDED, outcome, reason: 'the fence was not granted' })
  }
  // Refused before its first step.
  cutover.emit('cutover', { ...ENDED, outcome: 'aborted', reason: 'busy' })
  const spans = exporter.getFinishedSpans()
  expect(spans.map(({ name, status }) => [name, status])).toEqual([
    ['pg_cutover.step.fence', { code: SpanStatusCode.ERROR, message: 'locked by 17' }],
    ['pg_cutover.cutover', { code: SpanStatusCode.ERROR, message: 'the fence was not granted' }],
    ['pg_cutover.step.fence', { code: SpanStatusCode.ERROR, message: 'locked by 17' }],
    ['pg_cutover.cutover', { code: SpanStatusCode.ERROR, message: 'the fence was not granted' }],
    ['pg_cutover.cutover', { code: SpanStatusCode.ERROR, message: 'busy' }],
  ])
  expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(3)
  stop()
  cutover.emit('cutover', { ...ENDED, outcome: 'done' })
  expect(exporter.getFinishedSpans()).toHaveLength(5)
})

it('links an attempt to what asked for it', async () => {
  const { cutover } = await unconnected()
  const { exporter, tracer } = tracerAndExporter()
  const request = tracer.startSpan('POST /advance')
  const stop = openTelemetry(cutover, {
    trace: { getTracer: () => tracer, setSpan: trace.setSpan, getActiveSpan: () => request },
  })
  cutover.emit('cutover', { ...ENDED, outcome: 'done' })
  const [whole] = exporter.getFinishedSpans()
  expect(whole?.links.map(({ context }) => context)).toEqual([request.spanContext()])
  expect(whole?.spanContext().traceId).not.toBe(request.spanContext().traceId)
  stop()
})

it('harms nobody where the API throws', async () => {
  const { cutover } = await unconnected()
  const { meter } = meterAndReader()
  const broken = (): never => {
    throw new Error('broken')
  }
  meter.createHistogram = () => ({ record: broken })
  const stop = openTelemetry(
    cutover,
    {
      metrics,
      trace: { getTracer: () => ({ startSpan: broken }), setSpan: broken, getActiveSpan: broken },
    },
    { meter },
  )
  cutover.emit('step', { ...STEP, step: 'drain', state: 'done', millis: 1 })
  cutover.emit('cutover', { ...ENDED, outcome: 'done' })
  stop()
})

it('does nothing, and breaks nothing, where no SDK is registered', async () => {
  const { cutover } = await unconnected()
  const stop = openTelemetry(cutover, { metrics, trace })
  cutover.emit('step', { ...STEP, step: 'drain', state: 'done', millis: 1 })
  cutover.emit('cutover', { ...ENDED, outcome: 'done' })
  stop()
})

it('refuses what is not the API', async () => {
  const { cutover } = await unconnected()
  const refused = (...given: readonly unknown[]): unknown => {
    try {
      return Reflect.apply(openTelemetry, undefined, given)
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_OPTION' })
      return error instanceof Error ? error.message : undefined
    }
  }
  const { tracer } = tracerAndExporter()
  expect(refused({}, { metrics })).toMatch(
    /^openTelemetry: the cutover is of type object; expected what createCutover/,
  )
  expect(refused(cutover, undefined)).toContain('the API is undefined; expected { metrics, trace }')
  expect(refused(cutover, {})).toContain('neither metrics nor trace is given')
  expect(refused(cutover, { metrics: trace })).toContain('metrics is of type object without getMeter()')
  expect(refused(cutover, { trace: metrics })).toContain('trace is of type object without getTracer()')
  expect(refused(cutover, { metrics }, { meter: {} })).toContain(
    'meter is of type object without createHistogram()',
  )
  expect(refused(cutover, { metrics }, { tracer })).toContain('a tracer is given without trace')
  expect(refused(cutover, { metrics }, { prefix: 'a' })).toContain(
    'prefix is no option; known are meter, tracer',
  )
})
