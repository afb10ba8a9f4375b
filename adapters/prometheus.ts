// Prometheus over the application's own prom-client: metrics that read the status when they are scraped.
import type { Cutover } from '../src/index.js'
import { Observed } from './observability/observed.js'
import { checkCutover, readTable, refusal, shown, type OptionTable } from './options.js'
import {
  checkRegistry,
  readClient,
  type PrometheusClient,
  type PrometheusRegistry,
} from './prometheus/client.js'
import { namesTaken, SharedMetrics } from './prometheus/shared-metrics.js'

export type { PrometheusClient, PrometheusRegistry } from './prometheus/client.js'

export interface PrometheusOptions {
  /** Where the metrics are registered. Default: prom-client's global registry. */
  readonly registry?: PrometheusRegistry | undefined
  /** What every name begins with; letters, digits, `_` and `:`. Default `pg_cutover_`. */
  readonly prefix?: string | undefined
}

const WHERE = 'prometheus'

interface Settings {
  readonly registry: PrometheusRegistry | undefined
  readonly prefix: string
}

const TABLE: OptionTable<Settings> = {
  registry: { default: undefined, expected: 'a Registry of prom-client', accepts: () => true },
  prefix: {
    default: 'pg_cutover_',
    expected: 'letters, digits, _ and :, not beginning with a digit',
    accepts: (value) => typeof value === 'string' && /^[a-zA-Z_:][\w:]*$/.test(value),
  },
}

/** By registry and prefix, since the migrations of a process share the metrics of each. */
const shared = new WeakMap<PrometheusRegistry, Map<string, SharedMetrics>>()

/**
 * Exports a migration: `prometheus(cutover, client)` with the application's own `prom-client` (14 or later). The metrics
 * are read from `cutover.status()` when the registry is printed, once for all of them, and from events that come at changes;
 * no query is hooked. Several migrations share the metrics and differ in the label `migration`. The page
 * `docs/observability.md` lists them all.
 *
 * Returns what ends it: the series of this migration are removed, and with the last migration the metrics.
 * `cutover.end()` alone leaves the last values in place. Throws `ERR_OPTION`, also where the registry has a metric of one
 * of the names, or exports a migration of this name already.
 */
export function prometheus(
  cutover: Cutover,
  client: PrometheusClient,
  options: PrometheusOptions = {},
): () => void {
  checkCutover(WHERE, cutover)
  const classes = readClient(WHERE, client)
  const { registry = classes.register, prefix } = readTable(WHERE, TABLE, options)
  checkRegistry(WHERE, registry)

  const { name } = cutover
  const known = shared.get(registry) ?? new Map<string, SharedMetrics>()
  let metrics = known.get(prefix)
  if (!metrics?.isRegistered) {
    const [taken] = namesTaken(registry, prefix)
    if (taken !== undefined)
      throw refusal(WHERE, `the registry has a metric ${taken} already`, 'another prefix or registry')
    metrics = new SharedMetrics(classes, registry, prefix)
    shared.set(registry, known.set(prefix, metrics))
  } else if (metrics.has(name))
    throw refusal(WHERE, `the registry exports a migration ${shown(name)} already`, 'each migration once')

  const mine = metrics
  const observed = new Observed(cutover, (key, labels, seconds) => mine.observe(name, key, labels, seconds))
  mine.add(name, () => observed.read())
  let stopped = false
  return () => {
    if (stopped) return
    stopped = true
    observed.stop()
    if (mine.remove(name) && known.get(prefix) === mine) known.delete(prefix)
  }
}
