// The shapes of what is used of prom-client from 14 on, which is handed in and never imported.
import { refusal, shown } from '../options.js'
import type { Labels } from '../observability/observed.js'

interface PrometheusMetric {
  remove(labels: Labels): void
}

export interface PrometheusCounter extends PrometheusMetric {
  inc(labels: Labels, value: number): unknown
}

export interface PrometheusGauge extends PrometheusMetric {
  set(labels: Labels, value: number): void
}

export interface PrometheusHistogram extends PrometheusMetric {
  observe(labels: Labels, value: number): void
}

/** A `Registry` of prom-client. */
export interface PrometheusRegistry {
  getSingleMetric(name: string): unknown
  removeSingleMetric(name: string): void
}

/** The module `prom-client`. Its classes take more than can be said here without its types. */
export interface PrometheusClient {
  readonly Counter: new (configuration: never) => PrometheusCounter
  readonly Gauge: new (configuration: never) => PrometheusGauge
  readonly Histogram: new (configuration: never) => PrometheusHistogram
  readonly register: PrometheusRegistry
}

export interface MetricConfiguration {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly string[]
  readonly registers: readonly PrometheusRegistry[]
  /** What a cluster makes of the values of its processes. */
  readonly aggregator: 'sum' | 'max'
  readonly buckets?: readonly number[]
  readonly collect?: () => void
}

/** The same classes with the part of their configuration that is used. */
export interface MetricClasses {
  readonly Counter: new (configuration: MetricConfiguration) => PrometheusCounter
  readonly Gauge: new (configuration: MetricConfiguration) => PrometheusGauge
  readonly Histogram: new (configuration: MetricConfiguration) => PrometheusHistogram
}

/** Throws `ERR_OPTION` for anything but the module. */
export function readClient(
  where: string,
  client: unknown,
): MetricClasses & Pick<PrometheusClient, 'register'> {
  if (typeof client !== 'object' || client === null)
    throw refusal(where, `the client is ${shown(client)}`, 'the module prom-client (14 or later)')
  for (const name of ['Counter', 'Gauge', 'Histogram'])
    if (typeof Reflect.get(client, name) !== 'function')
      throw refusal(where, `the client has no class ${name}`, 'the module prom-client (14 or later)')
  checkRegistry(where, Reflect.get(client, 'register'))
  return client as unknown as MetricClasses & Pick<PrometheusClient, 'register'>
}

/** Throws `ERR_OPTION` for anything but a registry. */
export function checkRegistry(where: string, registry: unknown): void {
  const isOne =
    typeof registry === 'object' &&
    registry !== null &&
    ['getSingleMetric', 'removeSingleMetric'].every(
      (name) => typeof Reflect.get(registry, name) === 'function',
    )
  if (!isOne) throw refusal(where, `the registry is ${shown(registry)}`, 'a Registry of prom-client')
}
