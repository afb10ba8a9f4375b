// What follows a move: the mirror turned round, under guards that keep a process which wakes too late from doing harm.
import type { ControlConnection, Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { streamName } from '../control/names.js'
import type { SideRow } from '../control/side-row.js'
import { CutoverError } from '../errors.js'
import {
  advanceOrigin,
  disableStream,
  enableStream,
  onceOriginIsFree,
  workerGone,
} from '../mirror/replication.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'

export interface Turn {
  readonly m: Migration
  /** The row of the side that was left. */
  readonly moved: SideRow
  readonly connections: Readonly<Record<Side, ControlConnection>>
  readonly deadline: number
  /** False where the phase has no mirror back: then the stream that led here is only turned off. */
  readonly back: boolean
  /** Called between the transactions. */
  readonly onProgress?: (detail: string) => void
}

/**
 * Turns the mirror round after a move. May be run by anybody, again and at any time: each half looks at the row of its
 * side under its lock, since a process that stalls here and wakes after a rollback would apply old rows onto the writer.
 */
export async function turnMirror({ m, moved, connections, deadline, back, onProgress }: Turn): Promise<void> {
  // Both sides of a mirror by dual-write have recorded since before the move, and whoever relays goes by the rows.
  if (m.mirror !== 'replication') return
  const from = moved.side
  const to = otherSide(from)
  const position = moved.reverseLsn
  // Not `epoch = e`: a rollback that was aborted has used further epochs, and must not block this for ever.
  const disabled = await connections[to].transaction(async (run) => {
    const row = await run(
      `select from cutover.side where name = $1 and status in ('writer', 'fenced') for update`,
      [m.name],
    )
    if (row.length === 0) return 'stopped'
    const changes = await isEnabled(run, m, from)
    await disableStream(m, from, run)
    return changes ? 'disabled' : 'nothing to do'
  })
  if (disabled === 'stopped') return
  if (disabled === 'disabled') onProgress?.(`the mirror from the ${from} database was disabled`)
  await workerGone(m, from, Math.max(1, deadline - performance.now()))
  if (!back) return
  if (position === undefined) {
    throw new CutoverError(
      'ERR_REVERSE',
      `the move of epoch ${moved.epoch} carries no position to mirror from`,
    )
  }
  const enabled = await onceOriginIsFree(deadline, () =>
    connections[from].transaction(async (run) => {
      const row = await run(
        `select from cutover.side where name = $1 and status = 'moved' and epoch = $2::bigint for update`,
        [m.name, moved.epoch],
      )
      if (row.length === 0 || (await isEnabled(run, m, to))) return false
      await advanceOrigin(m, to, position, run)
      await enableStream(m, to, run)
      return true
    }),
  )
  if (enabled) onProgress?.(`the mirror from the ${to} database was enabled`)
}

async function isEnabled(run: Run, m: Migration, from: Side): Promise<boolean> {
  const found = await run(
    `select from pg_subscription where subname = $1 and subenabled
        and subdbid = (select oid from pg_database where datname = current_database())`,
    [streamName(m.name, from)],
  )
  return found.length > 0
}
