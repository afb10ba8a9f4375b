// OpenTelemetry over the application's own @opentelemetry/api: metrics that read the status, spans made of events.
import type { Cutover } from '../src/index.js'
import { BUCKETS, INSTRUMENTS, openTelemetryName } from './observability/instruments.js'
import type { Instrument } from './observability/instrument.js'
import type { ReadKey, TimedKey } from './observability/instruments.js'
import { Observed, type Labels } from './observability/observed.js'
import { checkShape } from './opentelemetry/api.js'
import type {
  BatchResult,
  InstrumentOptions,
  ObservableInstrument,
  OpenTelemetryMeter,
  OpenTelemetryMetrics,
  OpenTelemetryTrace,
  OpenTelemetryTracer,
} from './opentelemetry/api.js'
import { traceCutovers } from './opentelemetry/spans.js'
import { checkCutover, readTable, refusal, shown } from './options.js'

export type {
  OpenTelemetryMeter,
  OpenTelemetryMetrics,
  OpenTelemetryTrace,
  OpenTelemetryTracer,
} from './opentelemetry/api.js'

/** Of `@opentelemetry/api`, which may be handed in whole; without `metrics` there are no metrics, without `trace` no spans. */
export interface OpenTelemetryApi {
  readonly metrics?: OpenTelemetryMetrics | undefined
  readonly trace?: OpenTelemetryTrace | undefined
}

export interface OpenTelemetryOptions {
  /** In place of one of the registered provider. */
  readonly meter?: OpenTelemetryMeter | undefined
  /** In place of one of the registered provider; `trace` is needed besides. */
  readonly tracer?: OpenTelemetryTracer | undefined
}

const WHERE = 'openTelemetry'
const SCOPE = 'pg-cutover'

/**
 * Exports a migration: `openTelemetry(cutover, { metrics, trace })` with both from the application's own
 * `@opentelemetry/api` (1.4 or later). Metrics are read from `cutover.status()` when they are collected, once for all of
 * them, and from events that come at changes; no query is hooked. Each attempt to change the writer becomes a trace with a
 * span for each step. The page `docs/observability.md` lists them all.
 *
 * Returns what ends it: its callbacks and listeners are removed. `cutover.end()` alone leaves the last values in
 * place. Throws `ERR_OPTION`. Never keeps a process alive.
 */
export function openTelemetry(
  cutover: Cutover,
  api: OpenTelemetryApi,
  options: OpenTelemetryOptions = {},
): () => void {
  checkCutover(WHERE, cutover)
  const { metrics, trace } = readApi(api)
  const given = readTable<Given>(WHERE, TABLE, options)
  checkShape(WHERE, 'meter', given.meter)
  checkShape(WHERE, 'tracer', given.tracer)
  if (given.tracer !== undefined && trace === undefined)
    throw refusal(WHERE, 'a tracer is given without trace', 'trace of @opentelemetry/api besides')

  const meter = given.meter ?? metrics?.getMeter(SCOPE)
  const stopMetrics = meter && measure(cutover, meter)
  const stopSpans = trace && traceCutovers(cutover, trace, given.tracer ?? trace.getTracer(SCOPE))
  return () => {
    stopMetrics?.()
    stopSpans?.()
  }
}

interface Given {
  readonly meter: OpenTelemetryMeter | undefined
  readonly tracer: OpenTelemetryTracer | undefined
}

const anything = { default: undefined, expected: 'that of @opentelemetry/api', accepts: () => true }
const TABLE = { meter: anything, tracer: anything }

function readApi(api: unknown): OpenTelemetryApi {
  if (typeof api !== 'object' || api === null)
    throw refusal(WHERE, `the API is ${shown(api)}`, '{ metrics, trace } of @opentelemetry/api')
  const { metrics, trace } = api as OpenTelemetryApi
  if (metrics === undefined && trace === undefined)
    throw refusal(WHERE, 'neither metrics nor trace is given', '{ metrics, trace } of @opentelemetry/api')
  checkShape(WHERE, 'metrics', metrics)
  checkShape(WHERE, 'trace', trace)
  return { metrics, trace }
}

function measure(cutover: Cutover, meter: OpenTelemetryMeter): () => void {
  const attributesOf = (labels: Labels): Labels =>
    Object.fromEntries(
      Object.entries({ migration: cutover.name, ...labels }).map(([name, value]) => [
        openTelemetryName(name),
        value,
      ]),
    )
  const timers = {
    pause: histogram(meter, INSTRUMENTS.pause),
    stepDuration: histogram(meter, INSTRUMENTS.stepDuration),
  } satisfies Record<TimedKey, unknown>
  const read = new Map(
    Object.entries<Instrument>(INSTRUMENTS)
      .filter(([, { kind }]) => kind !== 'histogram')
      .map(([key, instrument]) => [key as ReadKey, observable(meter, instrument)]),
  )
  const instruments = [...read.values()]
  const observed = new Observed(cutover, (key, labels, seconds) =>
    timers[key].record(seconds, attributesOf(labels)),
  )
  const shown = new Map<string, { instrument: ObservableInstrument; attributes: Labels }>()
  const collect = (result: BatchResult): void => {
    const readings = observed.read()
    const gone = new Map(shown)
    for (const [key, instrument] of read)
      for (const { labels, value } of readings[key]) {
        const id = JSON.stringify([key, labels])
        const attributes = attributesOf(labels)
        gone.delete(id)
        shown.set(id, { instrument, attributes })
        result.observe(instrument, value, attributes)
      }
    // The SDK goes on with the last value of what is not observed any more, such as the lag of a mirror that is gone.
    for (const { instrument, attributes } of gone.values()) result.observe(instrument, 0, attributes)
  }
  meter.addBatchObservableCallback(collect, instruments)
  return () => {
    meter.removeBatchObservableCallback(collect, instruments)
    observed.stop()
  }
}

function observable(meter: OpenTelemetryMeter, instrument: Instrument): ObservableInstrument {
  const name = openTelemetryName(instrument.name)
  const options = optionsOf(instrument)
  if (instrument.kind === 'counter') return meter.createObservableCounter(name, options)
  if (instrument.kind === 'level') return meter.createObservableUpDownCounter(name, options)
  return meter.createObservableGauge(name, options)
}

const histogram = (
  meter: OpenTelemetryMeter,
  instrument: Instrument,
): ReturnType<OpenTelemetryMeter['createHistogram']> =>
  meter.createHistogram(openTelemetryName(instrument.name), {
    ...optionsOf(instrument),
    advice: { explicitBucketBoundaries: [...BUCKETS] },
  })

const optionsOf = ({ help, unit }: Instrument): InstrumentOptions => ({
  description: help,
  ...(unit === '' ? {} : { unit }),
})
