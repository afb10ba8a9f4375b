// Begins a migration in the databases: the control rows, the standing fence of the mirrored side, and the mirror itself.
import type { Migration } from '../control/migration.js'
import { DUAL_WRITE_VERSION, ensureControlSchema, FLEET_VERSION } from '../control/schema.js'
import { insertMirror, insertWriter, readSide } from '../control/side-row.js'
import { CutoverError } from '../errors.js'
import { createForward } from '../mirror/replication.js'
import { otherSide, type Phase, type Side } from '../phase/phases.js'
import { ensureStandingTriggers } from './fence-triggers.js'
import { preflight, type Finding } from './preflight.js'

/**
 * Makes the rows of a migration that begins; rows that are there stay as they are. A lone row with a history belongs to
 * another database than the one that was given, and is refused.
 */
export async function ensureRows(m: Migration, writer: Side, phase: Phase): Promise<void> {
  for (const side of ['old', 'new'] as const) {
    await ensureControlSchema(m.control[side], neededVersion(m))
  }
  const rows = await Promise.all([readSide(m.control.old, m.name), readSide(m.control.new, m.name)])
  const [lone, ...more] = rows.filter((row) => row !== undefined)
  if (more.length > 0) return
  if (lone && (lone.epoch > 0 || (lone.status === 'writer') !== (lone.side === writer))) {
    const missing = otherSide(lone.side)
    throw new CutoverError(
      'ERR_PREFLIGHT',
      `the ${lone.side} database says "${lone.status}" at epoch ${lone.epoch} of migration "${m.name}", but the ${missing} one at ${m.control[missing].address} knows nothing of it; give the database that took part`,
    )
  }
  // The writer's row first: a mirror's row alone would send everybody to a side that knows nothing.
  await insertWriter(m.control[writer], m.name, phase)
  await insertMirror(m.control[otherSide(writer)], m.name)
}

/**
 * Brings the other side up to date and keeps it so. Resolves when every table is copied; begun again it goes on where it
 * was. Rejects with `ERR_PREFLIGHT` and the findings before anything is made.
 */
export async function beginMirror(m: Migration, from: Side, phase: Phase): Promise<void> {
  refuseErrors(m, await preflight(m, from, 'mirror'))
  await ensureRows(m, from, phase)
  // Before the copy: whoever mirrors passes an origin trigger, everybody else is refused from here on.
  await ensureStandingTriggers(m, otherSide(from), performance.now() + m.timings.prepareTimeoutMillis)
  if (m.mirror === 'dual-write') {
    const { beginDualWrite } = await import('./begin-dual-write.js')
    await beginDualWrite(m, from)
  } else await createForward(m, from, (progress) => m.events.publish('progress', progress))
}

function neededVersion({ members, mirror }: Migration): number | undefined {
  if (members === 'barrier') return FLEET_VERSION
  return mirror === 'dual-write' ? DUAL_WRITE_VERSION : undefined
}

/** Warnings become events; errors end the attempt. */
export function refuseErrors(m: Migration, findings: readonly Finding[]): void {
  for (const { severity, code, message, fix } of findings) {
    if (severity === 'warning')
      m.events.publish('warning', { name: m.name, code, message: `${message}. ${fix}` })
  }
  const errors = findings.filter((finding) => finding.severity === 'error')
  if (errors.length === 0) return
  const list = errors.map(({ code, message, fix }) => `${code}: ${message}. ${fix}`).join('\n')
  throw new CutoverError('ERR_PREFLIGHT', `the databases are not ready:\n${list}`, {
    details: { findings: errors },
  })
}
