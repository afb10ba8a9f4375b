// Reads what both sides say about a migration, and what of it is left to be ended by `recover`.
import type { Migration } from '../control/migration.js'
import { readSide, type SideRow } from '../control/side-row.js'
import { isCutoverError } from '../errors.js'
import { streamHealth, type StreamHealth } from '../mirror/stream-health.js'
import { otherSide, PHASES, type Side } from '../phase/phases.js'

export interface SideLook {
  readonly address: string
  /** Undefined where the migration has not begun there, or the side did not answer. */
  readonly row: SideRow | undefined
  /** Why the side could not be asked. */
  readonly unreachable: string | undefined
}

export interface MirrorLook {
  readonly from: Side
  readonly health: StreamHealth
}

export interface Look {
  readonly sides: Readonly<Record<Side, SideLook>>
  /** The side whose row says that it takes writes. */
  readonly writer: SideRow | undefined
  /** Every stream there is, in either direction. */
  readonly mirrors: readonly MirrorLook[]
  /** What `recover` would do. Empty where nothing was left under way. */
  readonly leftOver: readonly string[]
}

/** Throws only what means that nothing may be done at all, such as exchanged URLs. */
export async function look(m: Migration): Promise<Look> {
  const [old, opened] = await Promise.all([lookAt(m, 'old'), lookAt(m, 'new')])
  const sides = { old, new: opened }
  const writer = [old.row, opened.row]
    .filter((row): row is SideRow => row?.status === 'writer')
    .toSorted((a, b) => b.epoch - a.epoch)[0]
  const mirrors = m.mirror === 'none' ? [] : await lookAtMirrors(m, sides)
  return { sides, writer, mirrors, leftOver: leftOver(m, sides, writer, mirrors) }
}

async function lookAt(m: Migration, side: Side): Promise<SideLook> {
  const { address } = m.control[side]
  try {
    return { address, row: await readSide(m.control[side], m.name), unreachable: undefined }
  } catch (error) {
    if (isCutoverError(error, 'ERR_PREFLIGHT')) throw error
    return { address, row: undefined, unreachable: error instanceof Error ? error.message : String(error) }
  }
}

async function lookAtMirrors(m: Migration, sides: Look['sides']): Promise<MirrorLook[]> {
  const found: MirrorLook[] = []
  for (const from of ['old', 'new'] as const) {
    // The subscription lives on the side that is mirrored to.
    if (sides[otherSide(from)].unreachable !== undefined) continue
    const health = await streamHealth(m, from)
    if (health.exists) found.push({ from, health })
  }
  return found
}

function leftOver(
  m: Migration,
  sides: Look['sides'],
  writer: SideRow | undefined,
  mirrors: readonly MirrorLook[],
): string[] {
  const left: string[] = []
  for (const { row } of Object.values(sides)) {
    if (row === undefined) continue
    const other = sides[otherSide(row.side)]
    if (row.status === 'fenced')
      left.push(
        `epoch ${row.epoch}: lift the fence of the ${row.side} database, so that it takes writes again`,
      )
    if (row.status === 'moved' && other.unreachable === undefined && (other.row?.epoch ?? -1) < row.epoch)
      left.push(
        `epoch ${row.epoch}: open the ${otherSide(row.side)} database, since the right to write has left the ${row.side} one`,
      )
  }
  // Before the first change of writer the mirror belongs to the preparation, and nothing was left by anybody.
  if (left.length > 0 || m.mirror === 'none' || writer?.phase === undefined || writer.epoch === 0) return left
  const { mirroredTo } = PHASES[writer.phase]
  if (mirroredTo === undefined || sides[mirroredTo].unreachable !== undefined) return left
  if (
    sides[mirroredTo].row?.status === 'moved' &&
    !mirrors.some(({ from, health }) => from === writer.side && health.enabled)
  )
    left.push(
      `epoch ${writer.epoch}: enable the mirror of the way back, from ${writer.side} to ${mirroredTo}`,
    )
  return left
}
