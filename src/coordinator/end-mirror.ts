// Takes the mirror of a migration away: streams and slots, or the capture on both sides and the record that it has filled.
import type { Migration } from '../control/migration.js'
import { dropStream } from '../mirror/replication.js'
import type { Side } from '../phase/phases.js'

const SIDES = ['old', 'new'] as const satisfies readonly Side[]

/** Nothing of it need be there. A side that does not answer does not keep the other one from being cleaned; a later call does the rest. */
export async function endMirror(m: Migration, failed: (error: unknown) => void): Promise<void> {
  for (const side of SIDES) await endOn(m, side).catch(failed)
}

async function endOn(m: Migration, side: Side): Promise<void> {
  if (m.mirror === 'replication') return dropStream(m, side)
  if (m.mirror === 'none') return
  const { removeCapture } = await import('../dual-write/capture.js')
  await removeCapture(m, side)
}
