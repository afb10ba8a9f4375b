// What prom-client prints of a migration, from the real registry.
import { expect, it, vi } from 'vitest'
import client, { Registry, type OpenMetricsContentType } from 'prom-client'
import { INSTRUMENTS, prometheusName } from '../../adapters/observability/instruments.js'
import { prometheus } from '../../adapters/prometheus.js'
import { noTotals } from '../../src/shadow/report.js'
import { someMirror, someRecord, unconnected } from '../support/unconnected.js'

it('exports each metric of the table under its name, with its type and its help', async () => {
  const { cutover, say } = await unconnected()
  say({ mirror: { ...someRecord, lagBytes: 4096 } })
  const registry = new Registry()
  const stop = prometheus(cutover, client, { registry })
  cutover.emit('warning', { name: 'orders', code: 'LISTEN', message: 'away' })
  const text = await registry.metrics()
  for (const instrument of Object.values(INSTRUMENTS)) {
    const name = prometheusName(instrument, 'pg_cutover_')
    const type = {
      state: 'gauge',
      level: 'gauge',
      gauge: 'gauge',
      counter: 'counter',
      histogram: 'histogram',
    }
    expect(text).toContain(`# HELP ${name} ${instrument.help}\n# TYPE ${name} ${type[instrument.kind]}\n`)
    if (instrument.kind !== 'histogram')
      expect(text).toMatch(new RegExp(`^${name}\\{migration="orders"`, 'm'))
  }
  expect(text).not.toContain('hunter2')
  stop()
})

it('prints the phase, the route and the mirror as they are now, and nothing of a mirror that is gone', async () => {
  const { cutover, say } = await unconnected()
  const registry = new Registry()
  const stop = prometheus(cutover, client, { registry, prefix: 'db_' })
  say({
    mirror: someMirror,
    heldMillis: 250,
    held: { calls: 5, reads: 6, longestMillis: 70 },
    fenceHits: 8,
    inFlight: { old: 3, new: 0 },
  })
  const before = await registry.metrics()
  for (const line of [
    'db_phase{migration="orders",phase="old"} 1',
    'db_phase{migration="orders",phase="live"} 0',
    'db_route{migration="orders",route="direct"} 1',
    'db_epoch{migration="orders"} 0',
    'db_in_flight{migration="orders",side="old"} 3',
    'db_hold_age_seconds{migration="orders"} 0.25',
    'db_held_calls_total{migration="orders"} 5',
    'db_held_reads_total{migration="orders"} 6',
    'db_held_longest_seconds{migration="orders"} 0.07',
    'db_fence_hits_total{migration="orders"} 8',
    'db_mirror_broken{migration="orders",side="new"} 0',
    'db_mirror_lag_seconds{migration="orders",side="new"} 1.5',
    'db_mirror_age_seconds{migration="orders",side="new"} 0.25',
    'db_mirror_depth_bytes{migration="orders",side="new"} 4096',
    'db_mirror_retained_bytes{migration="orders",side="new"} 16777216',
  ])
    expect(before.split('\n')).toContain(line)
  say({ mirror: { ...someMirror, healthy: false, lagBytes: undefined } })
  const broken = await registry.metrics()
  expect(broken).toContain('db_mirror_broken{migration="orders",side="new"} 1\n')
  expect(broken).not.toMatch(/^db_mirror_depth_bytes\{/m)
  say({ mirror: someRecord })
  const ofRecord = await registry.metrics()
  for (const line of [
    'db_mirror_records{migration="orders",side="new"} 12',
    'db_mirror_relayed_per_second{migration="orders",side="new"} 345.5',
    'db_mirror_leading{migration="orders",side="new"} 1',
    'db_mirror_stuck{migration="orders",side="new"} 2',
    'db_mirror_copied{migration="orders",side="new"} 400',
    'db_mirror_to_copy{migration="orders",side="new"} 1000',
  ])
    expect(ofRecord.split('\n')).toContain(line)
  expect(ofRecord).not.toMatch(/^db_mirror_depth_bytes\{/m)
  say({ mirror: undefined, phase: 'live' })
  const after = await registry.metrics()
  expect(after).not.toMatch(/^db_mirror\w*\{/m)
  expect(after).toContain('db_phase{migration="orders",phase="old"} 0\n')
  expect(after).toContain('db_phase{migration="orders",phase="live"} 1\n')
  stop()
})

it('reads the status once a scrape, and for a metric that is printed alone', async () => {
  const migration = await unconnected()
  const registry = new Registry()
  const stop = prometheus(migration.cutover, client, { registry })
  const before = migration.asked
  await registry.metrics()
  expect(migration.asked).toBe(before + 1)
  migration.say({ waiting: 7 })
  expect(await registry.getSingleMetricAsString('pg_cutover_waiting')).toContain('{migration="orders"} 7')
  stop()
})

it('counts and times what events tell', async () => {
  const { cutover } = await unconnected()
  const registry = new Registry()
  const stop = prometheus(cutover, client, { registry })
  const step = { name: 'orders', epoch: 3, direction: 'old→new', step: 'drain' } as const
  cutover.emit('step', { ...step, state: 'started' })
  cutover.emit('step', { ...step, state: 'done', millis: 40 })
  const ended = { name: 'orders', epoch: 3, direction: 'old→new', longestHeldMillis: 9, steps: {} } as const
  cutover.emit('cutover', { ...ended, outcome: 'done', pauseMillis: 12 })
  cutover.emit('cutover', { ...ended, outcome: 'aborted', pauseMillis: 0, reason: 'preflight' })
  cutover.emit('wish', { name: 'orders', source: 'a', value: 'x', outcome: 'refused', reason: 'no phase' })
  cutover.emit('sideError', { name: 'orders', side: 'old', error: new Error('gone') })
  cutover.emit('warning', { name: 'orders', code: 'NO_FENCE', message: '' })
  for (let scrape = 0; scrape < 2; scrape++) {
    const lines = (await registry.metrics()).split('\n')
    for (const line of [
      'pg_cutover_cutovers_total{migration="orders",side="new",outcome="done"} 1',
      'pg_cutover_cutovers_total{migration="orders",side="new",outcome="aborted"} 1',
      'pg_cutover_cutovers_total{migration="orders",side="old",outcome="done"} 0',
      'pg_cutover_cutover_pause_seconds_count{migration="orders",side="new",outcome="done"} 1',
      'pg_cutover_cutover_pause_seconds_sum{migration="orders",side="new",outcome="done"} 0.012',
      'pg_cutover_step_duration_seconds_bucket{le="0.025",migration="orders",step="drain",outcome="done"} 0',
      'pg_cutover_step_duration_seconds_bucket{le="0.05",migration="orders",step="drain",outcome="done"} 1',
      'pg_cutover_wishes_total{migration="orders",outcome="refused"} 1',
      'pg_cutover_side_errors_total{migration="orders",side="old"} 1',
      'pg_cutover_warnings_total{migration="orders",code="NO_FENCE"} 1',
    ])
      expect(lines).toContain(line)
    expect(lines.filter((line) => line.includes('pause_seconds_count'))).toHaveLength(1)
  }
  stop()
})

it('adds up the time of all holds, the present one included', async () => {
  const { cutover } = await unconnected()
  const registry = new Registry()
  const stop = prometheus(cutover, client, { registry })
  const clock = vi.spyOn(performance, 'now')
  const at = (millis: number, route: string): void => {
    clock.mockReturnValue(millis)
    cutover.emit('route', { name: 'orders', route, side: 'old' })
  }
  at(1_000, 'held')
  at(1_500, 'held')
  at(3_000, 'releasing')
  at(4_000, 'direct')
  at(10_000, 'held')
  clock.mockReturnValue(10_500)
  const text = await registry.metrics()
  clock.mockRestore()
  expect(text).toContain('pg_cutover_hold_time_seconds_total{migration="orders"} 2.5\n')
  stop()
})

it('lets no counter fall when the comparing begins anew', async () => {
  const { cutover, say } = await unconnected()
  const registry = new Registry()
  const stop = prometheus(cutover, client, { registry })
  const real = async (count: number): Promise<string | undefined> => {
    const outcomes = { ...noTotals().outcomes, real: count }
    say({ shadow: { ...noTotals(), outcomes } })
    const text = await registry.getSingleMetricAsString('pg_cutover_shadow_reads_total')
    return /outcome="real"} (\d+)/.exec(text)?.[1]
  }
  expect([await real(5), await real(2), await real(4)]).toEqual(['5', '7', '9'])
  stop()
})

it('shares the metrics among migrations, and takes away only the series of the one that stops', async () => {
  const registry = new Registry()
  const [orders, users] = [(await unconnected('orders')).cutover, (await unconnected('users')).cutover]
  const stops = [prometheus(orders, client, { registry }), prometheus(users, client, { registry })]
  const pause = { epoch: 1, direction: 'old→new', outcome: 'done', longestHeldMillis: 9, steps: {} } as const
  for (const cutover of [orders, users])
    cutover.emit('cutover', { ...pause, name: cutover.name, pauseMillis: 9 })
  const both = await registry.metrics()
  expect(both).toContain('migration="orders"')
  const ofUsers = both.split('\n').filter((line) => line.includes('migration="users"'))
  expect(ofUsers.length).toBeGreaterThan(40)
  stops[0]?.()
  stops[0]?.()
  const left = await registry.metrics()
  expect(left).not.toContain('orders')
  const names = (lines: readonly string[]): string[] => lines.map((line) => line.replace(/ \S+$/, ''))
  expect(names(left.split('\n').filter((line) => line.includes('migration="users"')))).toEqual(names(ofUsers))
  stops[1]?.()
  expect(await registry.metrics()).toBe('\n')
  for (const cutover of [orders, users]) expect(cutover.eventNames()).toEqual([])
})

it('may be told again after somebody has cleared the registry', async () => {
  const registry = new Registry()
  const { cutover } = await unconnected()
  const first = prometheus(cutover, client, { registry })
  registry.clear()
  const second = prometheus(cutover, client, { registry })
  first()
  expect(await registry.metrics()).toContain('pg_cutover_phase{migration="orders",phase="old"} 1')
  second()
})

it('prints in the format of OpenMetrics too', async () => {
  const registry = new Registry<OpenMetricsContentType>()
  registry.setContentType(client.openMetricsContentType)
  const stop = prometheus((await unconnected()).cutover, client, { registry })
  for (let scrape = 0; scrape < 2; scrape++)
    expect(await registry.metrics()).toContain('\npg_cutover_fence_hits_total{migration="orders"} 0\n')
  stop()
})

it('refuses what it cannot use, and names that are taken', async () => {
  const { cutover } = await unconnected()
  const registry = new Registry()
  const refused = (...given: readonly unknown[]): unknown => {
    try {
      return Reflect.apply(prometheus, undefined, given)
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_OPTION' })
      return error instanceof Error ? error.message : undefined
    }
  }
  expect(refused({}, client)).toMatch(
    /^prometheus: the cutover is of type object; expected what createCutover/,
  )
  expect(refused(cutover, undefined)).toBe(
    'prometheus: the client is undefined; expected the module prom-client (14 or later)',
  )
  expect(refused(cutover, { Counter: client.Counter })).toContain('no class Gauge')
  expect(refused(cutover, client, { registry: {} })).toContain('expected a Registry of prom-client')
  expect(refused(cutover, client, { prefix: '1st' })).toContain('prefix is "1st"; expected letters')
  expect(refused(cutover, client, { labels: {} })).toContain(
    'labels is no option; known are registry, prefix',
  )
  registry.registerMetric(new client.Gauge({ name: 'pg_cutover_epoch', help: 'mine', registers: [] }))
  expect(refused(cutover, client, { registry })).toContain('has a metric pg_cutover_epoch already')
  const stop = prometheus(cutover, client, { registry, prefix: 'db_' })
  expect(refused(cutover, client, { registry, prefix: 'db_' })).toContain(
    'exports a migration "orders" already',
  )
  stop()
  expect(registry.getMetricsAsArray().map(({ name }) => name)).toEqual(['pg_cutover_epoch'])
})
