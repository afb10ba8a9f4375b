// The story of the demo as a table: what happens, in which order, while the application writes and reads.
import { setTimeout as delay } from 'node:timers/promises'
import { listMembers } from '../src/fleet/roster.js'
import { beginningOfClock } from '../test/support/one-clock.js'
import type { Phase, ProgressEvent } from '../src/index.js'
import { MIGRATION, openApplication } from './application.js'
import { audit, compare } from './audit.js'
import { shareOut, together } from './crew.js'
import { onRecord, relayed } from './mirror-watch.js'
import { MOVERS } from './movers.js'
import { count, lately, now, share, told } from './phrases.js'
import type { Side } from './ledger.js'
import type { Run, Say, Span } from './run.js'
import { SCHEMA, TABLES, fill } from './schema.js'
import { SLOW_LANES } from './slow-transaction.js'
import { messageOf } from './verdict.js'
import { startWorkload } from './workload.js'

export interface Stage {
  readonly title: string
  readonly run: (run: Run, say: Say) => Promise<void>
}

const RESTS = 6
const WARM_UP_MILLIS = 1000
const MIRROR_MILLIS = 20_000

export function stages(settings: Run['settings'], names: { old: string; new: string }): readonly Stage[] {
  const { old, new: next } = names
  return [
    { title: `Create the shop on both, and rows for it on ${old}`, run: seed },
    {
      title: `Start ${settings.writers} writers and ${settings.readers} readers${settings.processes > 1 ? ` in ${settings.processes} processes` : ''} on ${old}`,
      run: begin,
    },
    { title: `Traffic before anything is moved (phase old)`, run: rest('before', 'old') },
    { title: `Copy into ${next} while traffic goes on (phase mirror)`, run: mirror },
    { title: `Both sides equal, reads on ${old} (phase shadow)`, run: shadow },
    { title: `Cut over: ${old} → ${next} (phase live)`, run: move('live') },
    { title: `Traffic on ${next}, mirrored back to ${old}`, run: rest('mirrored', 'live') },
    { title: `Roll back: ${next} → ${old} (phase shadow)`, run: move('shadow') },
    { title: `Traffic on ${old} again`, run: rest('mirrored', 'shadow') },
    { title: `Cut over again: ${old} → ${next} (phase live)`, run: move('live') },
    { title: `Traffic on ${next} (phase rampdown)`, run: rampDown },
    { title: `Stop the application for a moment and hold both databases against the ledger`, run: check },
    { title: `Let go of ${old} (phase new)`, run: letGo },
    { title: `Traffic on ${next} alone`, run: rest('after', 'new') },
    { title: `Stop, and hold ${next} against the ledger`, run: finish },
  ]
}

async function seed(run: Run, say: Say): Promise<void> {
  const { old, new: next } = run.clients
  await Promise.all([old.connect(), next.connect()])
  const [left, right] = await Promise.all([old, next].map((client) => identify(client)))
  if (!left || !right) throw new Error('a server did not say who it is')
  run.versions = { old: left.version, new: right.version }
  run.ports = { old: left.port, new: right.port }
  await Promise.all([old.query(SCHEMA), next.query(SCHEMA)])
  await fill(old, run.seed)
  say.line(`${count(run.seed.total)} rows in ${TABLES.length} tables, one of them partitioned`)
}

async function identify(
  client: Run['clients']['old'],
): Promise<{ version: string; port: number } | undefined> {
  await client.query(`set timezone = 'UTC'; set extra_float_digits = 1`)
  const { rows } = await client.query<{ version: string; port: number }>(
    `select current_setting('server_version') as version, inet_server_port() as port`,
  )
  return rows[0]
}

async function begin(run: Run, say: Say): Promise<void> {
  const { mirror, source, processes, slowTransactionMillis: slow } = run.settings
  const mover = await MOVERS[source].open()
  run.mover = mover
  for (const text of mover.opening) say.line(text)
  const [own, ...others] = shareOut(run.settings, processes)
  if (!own) throw new Error('no process to begin with')
  const { load } = own
  const cutover = openApplication({
    urls: run.urls,
    size: load.writers + load.readers + (slow === undefined ? 0 : SLOW_LANES),
    source: mover.source,
    autoAdvance: mover.autoAdvance,
    mirror,
    slow,
    warn: (message) => run.warnings.push(message),
  })
  run.cutover = cutover
  run.crew.join(cutover)
  cutover.on('phase', ({ to }) => run.phases.push({ phase: to, at: performance.now() }))
  await cutover.ready()
  run.phases.push({ phase: 'old', at: performance.now() })
  const { urls, ports, seed, crew, ledger, sideOf } = run
  const clock = beginningOfClock()
  await crew.start(
    run.script,
    others.map((one) => ({ ...one, processes, seed, urls, ports, mirror, flag: mover.flag, clock, slow })),
  )
  run.workload = together(await startWorkload(cutover.pool, ledger, { seed, load, sideOf }), crew)
  await run.watch.start()
  run.workload.go()
  say.line(
    'single statements, prepared statements and transactions, all through one pg.Pool; readers look up',
  )
  say.line('what was acknowledged last, and a read that misses it counts as failed')
  if (processes > 1) say.line(`processes ${crew.pids.join(', ')}, each with a pool and a phase of its own`)
  // Connections are made and code is compiled: no baseline for anything.
  await delay(WARM_UP_MILLIS)
}

function rest(what: Span['what'], phase: string): Stage['run'] {
  return async (run, say) => {
    const started = performance.now()
    await run.spend(what, phase, async () => {
      const end = started + (run.settings.seconds * 1000) / RESTS
      while (performance.now() < end) {
        await delay(Math.max(1, Math.min(500, end - performance.now())))
        say.tick(now(run))
      }
    })
    say.line(lately(run, started))
    stopIfFailing(run)
  }
}

async function mirror(run: Run, say: Say): Promise<void> {
  const started = performance.now()
  const onProgress = ({ detail, done, total }: ProgressEvent): void =>
    say.tick(`${detail} ${share(done, total)}`)
  run.moving.on('progress', onProgress)
  const reached = await run.spend('initial copy', 'mirror', () => run.reach('mirror'))
  run.moving.off('progress', onProgress)
  say.line(told(reached))
  run.watch.probe()
  say.line(`every table copied and kept equal after ${((performance.now() - started) / 1000).toFixed(1)} s`)
  say.line(lately(run, started))
}

async function shadow(run: Run, say: Say): Promise<void> {
  say.line(told(await run.reach('shadow')))
  await rest('mirrored', 'shadow')(run, say)
  await lookAtFleet(run, say)
}

/** As `pg-cutover status` lists it. */
async function lookAtFleet(run: Run, say: Say): Promise<void> {
  const client = run.clients.old
  run.members = await listMembers(
    async (text, values) => (await client.query({ text, values: [...(values ?? [])] })).rows,
    MIGRATION,
  )
  for (const { service, host, pid, version, phase, epoch, inFlight } of run.members)
    say.line(
      `member "${service}" ${host}:${pid}, pg-cutover ${version}: phase ${phase}, epoch ${epoch}, ${inFlight} in flight`,
    )
}

async function rampDown(run: Run, say: Say): Promise<void> {
  say.line(told(await run.reach('rampdown')))
  await rest('mirrored', 'rampdown')(run, say)
}

function move(phase: Phase): Stage['run'] {
  return async (run, say) => {
    const { direction, pause, pauses, reached, by } = await run.move('cutover', phase, say)
    say.line(told(reached))
    if (pauses.length > 1)
      say.line(
        `moved by process ${by} for all ${pauses.length}; the pause of each alone: ${pauses.map((one) => one.pauseMillis.toFixed(1)).join(', ')} ms`,
      )
    const [left, opened] = direction === 'old→new' ? ['old', 'new'] : ['new', 'old']
    say.line(
      `last write on ${left} → first on ${opened}: ${pause.pauseMillis.toFixed(1)} ms; ` +
        `longest wait of a write ${pause.longestHeldMillis.toFixed(1)} ms, of a read ${pause.longestReadHeldMillis.toFixed(1)} ms`,
    )
    say.line(
      `${count(pause.readsMeanwhile)} reads were answered meanwhile; ` +
        `longest wait of a read-only transaction ${pause.longestReadTransactionHeldMillis.toFixed(1)} ms`,
    )
    stopIfFailing(run)
  }
}

async function check(run: Run, say: Say): Promise<void> {
  await run.application.stop()
  const { old, new: next } = run.clients
  const checkpoint = await run.spend('audit', 'rampdown', async () => {
    await mirrored(run)
    await run.watch.stop()
    if (run.settings.mirror === 'dual-write') run.relayed = await relayed([old, next])
    return {
      old: await audit(old, run.ledger, run.seed),
      new: await audit(next, run.ledger, run.seed),
      comparison: await compare(old, next),
    }
  })
  run.checkpoint = checkpoint
  const { old: left, new: right, comparison } = checkpoint
  say.line(
    comparison.differing.length === 0
      ? `${count(comparison.rows)} rows in ${comparison.tables} tables: the same on both sides, by content`
      : `different on the two sides: ${comparison.differing.join('; ')}`,
  )
  say.line(
    `${count(left.acknowledged)} acknowledged writes: ${count(left.found)} on the old side, ${count(right.found)} on the new one`,
  )
  run.application.go()
}

/** Resolves when the side that is mirrored to has the last write, and nothing is on record. By replication changes arrive in the order of their commits. */
async function mirrored(run: Run): Promise<void> {
  const number = run.ledger.issue()
  const sent = performance.now()
  const { rows } = await run.moving.pool.query<{ port: number }>(
    `insert into shop.events (day, kind, write) values ('2026-06-01', 'left', $1) returning inet_server_port() as port`,
    [number],
  )
  const side = run.sideOf(rows[0]?.port ?? 0)
  run.ledger.acknowledge({
    number,
    kind: 'record an event',
    process: 0,
    writer: 0,
    side,
    sent,
    acked: performance.now(),
    effects: [],
    place: { table: 'events', key: number },
  })
  const other = run.clients[side === 'old' ? 'new' : 'old']
  const deadline = performance.now() + MIRROR_MILLIS
  for (;;) {
    const { rowCount } = await other.query('select from shop.events where write = $1', [number])
    if (rowCount === 1 && (await isDrained(run, side))) return
    // The audit then says what is missing.
    if (performance.now() > deadline) return
    await delay(10)
  }
}

const isDrained = async (run: Run, writer: Side): Promise<boolean> =>
  run.settings.mirror !== 'dual-write' || (await onRecord(run.clients[writer])) === 0

async function letGo(run: Run, say: Say): Promise<void> {
  say.line(told(await run.reach('new')))
  // In a transaction that is taken back: if it were accepted, it must not spoil what the demo shows.
  const client = run.clients.old
  await client.query('begin')
  try {
    await client.query(`insert into shop.events (day, kind) values ('2026-06-01', 'left')`)
    run.refusal = undefined
    say.line('the old database still accepts writes from outside')
  } catch (error) {
    run.refusal = error instanceof Error ? error.message : String(error)
    say.line(`a program that was forgotten on the old database gets: ${run.refusal}`)
  } finally {
    await client.query('rollback')
  }
}

async function finish(run: Run, say: Say): Promise<void> {
  await run.application.stop()
  await run.crew.do('tell')
  run.final = await audit(run.clients.new, run.ledger, run.seed)
  say.line(`${count(run.final.found)} of ${count(run.final.acknowledged)} acknowledged writes found`)
  for (const text of (await run.mover?.closing()) ?? []) say.line(text)
}

/** A flood of failures is not worth the rest of the minute. */
function stopIfFailing(run: Run): void {
  const { failures } = run.ledger
  if (failures.length > 1000)
    throw new Error(`${failures.length} queries failed, at last with: ${messageOf(failures.at(-1)?.error)}`)
}
