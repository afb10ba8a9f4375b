// The metrics of one registry, which all migrations of a process share: each has series of its own by its name.
import type { Instrument } from '../observability/instrument.js'
import {
  BUCKETS,
  INSTRUMENTS,
  prometheusName,
  type InstrumentKey,
  type ReadKey,
  type TimedKey,
} from '../observability/instruments.js'
import type { Labels, Readings } from '../observability/observed.js'
import type {
  MetricClasses,
  MetricConfiguration,
  PrometheusCounter,
  PrometheusGauge,
  PrometheusHistogram,
  PrometheusRegistry,
} from './client.js'

type Metric = PrometheusCounter | PrometheusGauge | PrometheusHistogram

/** One line of the exposition, without its value. */
interface Series {
  readonly key: InstrumentKey
  readonly labels: Labels
  /** Of a counter, which can only be told what to add. */
  total: number
}

interface Member {
  readonly read: () => Readings
  readonly series: Map<string, Series>
}

const KEYS = Object.keys(INSTRUMENTS) as readonly InstrumentKey[]

export class SharedMetrics {
  readonly #registry: PrometheusRegistry
  readonly #names = new Map<InstrumentKey, string>()
  readonly #metrics = new Map<InstrumentKey, Metric>()
  readonly #members = new Map<string, Member>()
  #fresh = false

  /** Nothing may be registered by any of these names. */
  constructor(classes: MetricClasses, registry: PrometheusRegistry, prefix: string) {
    this.#registry = registry
    for (const key of KEYS) {
      const instrument: Instrument = INSTRUMENTS[key]
      const name = prometheusName(instrument, prefix)
      const configuration: MetricConfiguration = {
        name,
        help: instrument.help,
        labelNames: ['migration', ...instrument.labels],
        registers: [registry],
        aggregator: instrument.kind === 'gauge' ? 'max' : 'sum',
        ...(instrument.kind === 'histogram' ? { buckets: BUCKETS } : { collect: () => this.#collect() }),
      }
      this.#names.set(key, name)
      this.#metrics.set(key, metricOf(classes, instrument.kind, configuration))
    }
  }

  /** Whether somebody has cleared the registry since. */
  get isRegistered(): boolean {
    return KEYS.every(
      (key) => this.#registry.getSingleMetric(this.#names.get(key) ?? '') === this.#metrics.get(key),
    )
  }

  has(migration: string): boolean {
    return this.#members.has(migration)
  }

  add(migration: string, read: () => Readings): void {
    this.#members.set(migration, { read, series: new Map() })
  }

  /** Its own series go, and with the last migration the metrics. True if nothing is left. */
  remove(migration: string): boolean {
    for (const { key, labels } of this.#members.get(migration)?.series.values() ?? [])
      this.#metrics.get(key)?.remove(labels)
    this.#members.delete(migration)
    if (this.#members.size > 0) return false
    for (const [key, name] of this.#names)
      if (this.#registry.getSingleMetric(name) === this.#metrics.get(key))
        this.#registry.removeSingleMetric(name)
    return true
  }

  observe(migration: string, key: TimedKey, labels: Labels, seconds: number): void {
    const member = this.#members.get(migration)
    if (!member) return
    const series = seriesOf(member, migration, key, labels)
    ;(this.#metrics.get(key) as PrometheusHistogram).observe(series.labels, seconds)
  }

  // Every metric asks, since any of them may be printed alone; those of one scrape are asked in the same turn.
  #collect(): void {
    if (this.#fresh) return
    this.#fresh = true
    queueMicrotask(() => {
      this.#fresh = false
    })
    for (const [migration, member] of this.#members) this.#update(migration, member)
  }

  #update(migration: string, member: Member): void {
    const readings = member.read()
    const seen = new Set<Series>()
    for (const key of Object.keys(readings) as ReadKey[]) {
      const metric = this.#metrics.get(key) as PrometheusCounter | PrometheusGauge
      for (const { labels, value } of readings[key]) {
        const series = seriesOf(member, migration, key, labels)
        seen.add(series)
        if ('set' in metric) metric.set(series.labels, value)
        else metric.inc(series.labels, Math.max(0, value - series.total))
        series.total = value
      }
    }
    // A mirror that is gone has no lag, and the last one must not be shown for ever.
    for (const [id, series] of member.series) {
      if (seen.has(series) || INSTRUMENTS[series.key].kind === 'histogram') continue
      this.#metrics.get(series.key)?.remove(series.labels)
      member.series.delete(id)
    }
  }
}

function seriesOf(member: Member, migration: string, key: InstrumentKey, labels: Labels): Series {
  const id = JSON.stringify([key, labels])
  let series = member.series.get(id)
  if (series === undefined) {
    series = { key, labels: { migration, ...labels }, total: 0 }
    member.series.set(id, series)
  }
  return series
}

function metricOf(
  { Counter, Gauge, Histogram }: MetricClasses,
  kind: Instrument['kind'],
  configuration: MetricConfiguration,
): Metric {
  if (kind === 'counter') return new Counter(configuration)
  return kind === 'histogram' ? new Histogram(configuration) : new Gauge(configuration)
}

/** The names that are registered already by somebody else. */
export const namesTaken = (registry: PrometheusRegistry, prefix: string): string[] =>
  Object.values<Instrument>(INSTRUMENTS)
    .map((instrument) => prometheusName(instrument, prefix))
    .filter((name) => registry.getSingleMetric(name) !== undefined)
