// Goes from one phase to another in the databases: the mirror that has to begin or end, and the change of writer between.
import type { Migration } from '../control/migration.js'
import { readSide, setPhase, type SideRow } from '../control/side-row.js'
import { CutoverError } from '../errors.js'
import type { CutoverEvent } from '../events.js'
import { otherSide, PHASES, writerOf, type Phase } from '../phase/phases.js'
import { beginMirror, ensureRows } from './begin-mirror.js'
import { lock } from './coordinator-lock.js'
import { changeWriter } from './coordinator.js'
import { endMirror } from './end-mirror.js'
import { refuseIllegal } from './refuse-illegal.js'

export interface MoveOptions {
  /** Called with the coordinator's lock, before anything else. A rejection ends the move. */
  readonly onLocked?: () => Promise<void>
  /** Told why the move has failed, still with the lock. Must not reject. */
  readonly onFailed?: (error: unknown) => Promise<void>
  /** The initial copy begins, or is taken up again; it may take days. */
  readonly onCopying?: (copying: boolean) => void
  /** Called as soon as traffic goes to the other side, before what is left to do after the pause. Must not throw. */
  readonly onMoved?: () => void
  /** Called where an attempt ends and this process is still held, since nobody could say where its work may go on. */
  readonly onLeftHeld?: () => void
  /** Called with the writer's row once it says the phase, before a mirror that is not needed any more is taken away. */
  readonly onNoted?: (row: SideRow | undefined) => void
  /** Told what could not be taken away of a mirror that is not needed any more. The phase stands all the same. */
  readonly onLeftBehind: (error: unknown) => void
}

/**
 * Resolves when the writer's row says the phase, with the event of the change of writer if there was one. Rejects with everything as it was before, but for a mirror that was
 * begun, which the same move later takes up, and with `ERR_BUSY` while another process moves it; see {@link changeWriter} for the errors of a change of writer.
 */
export async function movePhase(
  m: Migration,
  from: Phase,
  to: Phase,
  options: MoveOptions,
): Promise<CutoverEvent | undefined> {
  const unmirrored = m.mirror !== 'none' && PHASES[to].mirroredTo === undefined
  let event: CutoverEvent | undefined
  if (from !== to) {
    refuseIllegal(from, to, m.mirror)
    const held = await lock(m, writerOf(from))
    try {
      await options.onLocked?.()
      event = await go(m, from, to, options)
    } catch (error) {
      await options.onFailed?.(error)
      throw error
    } finally {
      await held.release()
    }
  }
  // Also where it is asked for once more: a process that died, or a side that was away, may have left slots that pin WAL.
  if (unmirrored) await endMirror(m, options.onLeftBehind)
  return event
}

async function go(
  m: Migration,
  from: Phase,
  to: Phase,
  options: MoveOptions,
): Promise<CutoverEvent | undefined> {
  const writer = writerOf(from)
  if (m.mirror !== 'none' && from === 'old') await beginCopy(m, options)
  // The side that was left may not answer any more, and is not needed for this.
  else if (!(await readSide(m.control[writer], m.name))) await ensureRows(m, writer, from)
  if (writer !== writerOf(to)) return change(m, from, to, options)
  await note(m, from, to, options)
  return undefined
}

async function beginCopy(m: Migration, { onCopying }: MoveOptions): Promise<void> {
  onCopying?.(true)
  try {
    await beginMirror(m, 'old', 'old')
  } finally {
    onCopying?.(false)
  }
}

async function change(
  m: Migration,
  from: Phase,
  to: Phase,
  { onMoved, onLeftHeld, onNoted }: MoveOptions,
): Promise<CutoverEvent> {
  const opened = otherSide(writerOf(from))
  const event = await changeWriter(m, opened, to, {
    lock: false,
    ...(onMoved && { onMoved }),
    ...(onLeftHeld && { onLeftHeld }),
  })
  onNoted?.(await readSide(m.control[opened], m.name))
  return event
}

async function note(m: Migration, from: Phase, to: Phase, { onNoted }: MoveOptions): Promise<void> {
  const control = m.control[writerOf(from)]
  const row = await readSide(control, m.name)
  if (!row || !(await setPhase(control, m.name, row, to))) {
    throw new CutoverError(
      'ERR_RIVAL',
      `somebody else changed the phase of "${m.name}"; read the status and try again`,
    )
  }
  onNoted?.({ ...row, phase: to })
}
