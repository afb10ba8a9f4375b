// The shapes of what is used of @opentelemetry/api from 1.4 on, which is handed in and never imported.
import { refusal, shown } from '../options.js'

export type Attributes = Readonly<Record<string, string | number>>

export interface ObservableInstrument {
  addCallback(callback: never): void
}

/** What a callback for several instruments is given. */
export interface BatchResult {
  observe(instrument: ObservableInstrument, value: number, attributes?: Attributes): void
}

export interface InstrumentOptions {
  description?: string
  unit?: string
  advice?: { explicitBucketBoundaries?: number[] }
}

export interface OpenTelemetryMeter {
  createHistogram(
    name: string,
    options?: InstrumentOptions,
  ): { record(value: number, attributes?: Attributes): void }
  createObservableGauge(name: string, options?: InstrumentOptions): ObservableInstrument
  createObservableCounter(name: string, options?: InstrumentOptions): ObservableInstrument
  createObservableUpDownCounter(name: string, options?: InstrumentOptions): ObservableInstrument
  addBatchObservableCallback(
    callback: (result: BatchResult) => void,
    instruments: ObservableInstrument[],
  ): void
  removeBatchObservableCallback(
    callback: (result: BatchResult) => void,
    instruments: ObservableInstrument[],
  ): void
}

export interface OpenTelemetryContext {
  getValue(key: symbol): unknown
  setValue(key: symbol, value: unknown): OpenTelemetryContext
  deleteValue(key: symbol): OpenTelemetryContext
}

export interface OpenTelemetrySpan {
  setStatus(status: { code: number; message?: string }): unknown
  end(endTime?: number): void
  spanContext(): { traceId: string; spanId: string; traceFlags: number }
}

export interface SpanOptions {
  startTime?: number
  attributes?: Record<string, string | number>
  links?: { context: ReturnType<OpenTelemetrySpan['spanContext']> }[]
}

export interface OpenTelemetryTracer {
  startSpan(name: string, options?: SpanOptions, context?: OpenTelemetryContext): OpenTelemetrySpan
}

/** `metrics` of the package. */
export interface OpenTelemetryMetrics {
  getMeter(name: string): OpenTelemetryMeter
}

/** `trace` of the package. */
export interface OpenTelemetryTrace {
  getTracer(name: string): OpenTelemetryTracer
  setSpan(context: OpenTelemetryContext, span: OpenTelemetrySpan): OpenTelemetryContext
  getActiveSpan(): OpenTelemetrySpan | undefined
}

const SHAPES = {
  metrics: ['getMeter'],
  trace: ['getTracer', 'setSpan', 'getActiveSpan'],
  meter: ['createHistogram', 'createObservableGauge', 'addBatchObservableCallback'],
  tracer: ['startSpan'],
} as const

/** Throws `ERR_OPTION` for what is there and is something else. */
export function checkShape(where: string, name: keyof typeof SHAPES, given: unknown): void {
  if (given === undefined) return
  const has = (method: string): boolean =>
    typeof given === 'object' && given !== null && typeof Reflect.get(given, method) === 'function'
  const missing = SHAPES[name].find((method) => !has(method))
  if (missing !== undefined)
    throw refusal(where, `${name} is ${shown(given)} without ${missing}()`, `that of @opentelemetry/api`)
}
