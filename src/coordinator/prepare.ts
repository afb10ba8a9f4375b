// Everything slow, done before anybody waits: checks, triggers of the next epoch, the way back, sequences, warm pools.
import { ensureControlSchema, FLEET_VERSION } from '../control/schema.js'
import { decide, open, readSide } from '../control/side-row.js'
import type { SideRow } from '../control/side-row.js'
import { CutoverError } from '../errors.js'
import { warmUpText } from '../fleet/warm-up.js'
import { createForward, createReverse } from '../mirror/replication.js'
import { tablesOn } from '../mirror/mapping.js'
import { readScope } from '../mirror/scope.js'
import type { ScopedTable } from '../mirror/scope.js'
import { presetSequences } from '../mirror/sequences.js'
import type { Attempt } from './attempt.js'
import { refuseErrors } from './begin-mirror.js'
import { warmCatchUp } from './catch-up.js'
import { warmDrain } from './drain.js'
import {
  ensureNextTriggers,
  ensureStandingTriggers,
  removeLiftedTriggers,
  tableName,
} from './fence-triggers.js'
import { prepareFence } from './fence.js'
import { readLockPolicy } from './lock-policy.js'
import { assertNoOldWork } from './old-work.js'
import { probeMirror } from './probe.js'
import { preflight } from './preflight.js'

export async function prepare(a: Attempt, deadline: number): Promise<void> {
  const { m, from, to } = a
  const row = requireRow(from, await readSide(m.control[from], m.name))
  const opened = requireRow(to, await readSide(m.control[to], m.name))
  if (row.status !== 'writer' || (opened.status !== 'mirror' && opened.status !== 'moved')) {
    throw new CutoverError(
      'ERR_RIVAL',
      `migration "${m.name}" is at "${row.status}" on the ${from} database and at "${opened.status}" on the ${to} one; a change of writer begins at "writer" and "mirror" or "moved"`,
    )
  }
  if (a.barrier)
    await Promise.all([from, to].map((side) => ensureControlSchema(m.control[side], FLEET_VERSION)))
  a.epoch = row.epoch + 1
  // An opening counts only upwards: below this, the attempt could be decided but never opened.
  if (opened.epoch >= a.epoch) {
    throw new CutoverError(
      'ERR_RIVAL',
      `the ${to} database is at epoch ${opened.epoch} and the ${from} one, which writes, at ${row.epoch}: the ${from} one was restored from an older state`,
    )
  }
  if (a.preflight) refuseErrors(m, await preflight(m, from, 'cutover'))
  a.progress('prepare', 'old transactions')
  a.scope = await readScope(m.control[from].run, tablesOn(m, from))
  // Before the triggers too, which would only say that a lock was not to be had.
  await assertNoOldWork(m.control[from], a.scope, deadline)
  a.progress('prepare', 'triggers')
  await ensureStandingTriggers(m, to, deadline)
  await removeLiftedTriggers(m, from)
  await ensureNextTriggers(m, from, a.epoch, a.scope, deadline)
  if (m.mirror === 'replication') await prepareMirror(a, deadline)
  if (m.mirror === 'dual-write') {
    const { prepareDualWrite } = await import('./prepare-dual-write.js')
    await prepareDualWrite(a, deadline)
  }
  a.locks = await readLockPolicy(a.left.run, m.timings.fenceTimeoutMillis)
  a.progress('prepare', 'old transactions')
  await assertNoOldWork(m.control[from], a.scope, deadline)
  if (m.mirror !== 'none') a.progress('prepare', 'the mirror')
  if (m.mirror === 'replication') await probeMirror(a, deadline)
  if (m.mirror === 'dual-write') {
    const { probeRecord } = await import('./probe-record.js')
    await probeRecord(a, deadline)
  }
  a.progress('prepare', 'warm pools')
  // The connections of the ways out are opened now, so that a way out costs one round trip. No row has this epoch.
  const never: SideRow = { ...row, epoch: -1 }
  await Promise.all([
    prepareFence(a).then(() => decide(a.left, m.name, never.epoch, undefined)),
    warmDrain(a),
    open(a.opening, m.name, never),
    a.rescue[from].run('select'),
    a.rescue[to].run('select'),
  ])
  assertGoesOn(a)
  await Promise.all([m.gate.arm(warmUpText(a.scope.map(tableName)), deadline), armMembers(a, deadline)])
  assertGoesOn(a)
}

async function armMembers(a: Attempt, deadline: number): Promise<void> {
  await a.barrier?.arm({ epoch: a.epoch, target: a.target, tables: a.scope.map(tableName) }, deadline)
}

async function prepareMirror(a: Attempt, deadline: number): Promise<void> {
  const { m, from, to } = a
  const there = new Set((await readScope(m.control[to].run, tablesOn(m, to))).map(key))
  const missing = a.scope.filter((table) => !there.has(key(table)))
  if (missing.length > 0) {
    throw new CutoverError(
      'ERR_PREPARE',
      `the ${to} database has no table ${missing.map(({ schema, name }) => `${schema}.${name}`).join(', ')}`,
    )
  }
  a.progress('prepare', 'new tables')
  // Partitions made since the mirror began are published with their root, but nobody has subscribed to them yet.
  const copyTimeoutMillis = Math.max(1, deadline - performance.now())
  await createForward({ ...m, timings: { ...m.timings, copyTimeoutMillis } }, from, (progress) =>
    m.events.publish('progress', progress),
  )
  a.progress('prepare', 'the way back')
  await createReverse(m, to)
  a.progress('prepare', 'sequences')
  await presetSequences(m, from)
  await warmCatchUp(a)
}

// A step that ran into its deadline goes on behind the loop's back and must not arm a process that was let go.
function assertGoesOn(a: Attempt): void {
  if (a.over) throw new CutoverError('ERR_PREPARE', 'the preparation was given up')
}

function requireRow(side: string, row: SideRow | undefined): SideRow {
  if (row) return row
  throw new CutoverError('ERR_PHASE_UNKNOWN', `the ${side} database knows nothing of this migration yet`)
}

const key = ({ schema, name }: ScopedTable): string => JSON.stringify([schema, name])
