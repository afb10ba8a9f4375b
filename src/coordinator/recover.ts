// Ends whatever was left under way, by the rows alone and without knowing in which direction it went.
import type { Migration } from '../control/migration.js'
import { abort, readSide } from '../control/side-row.js'
import type { SideRow } from '../control/side-row.js'
import { isMissingRelation } from '../control/unit.js'
import { isCutoverError } from '../errors.js'
import { endCall, readCall } from '../fleet/call-row.js'
import { otherSide, PHASES } from '../phase/phases.js'
import type { Phase, Side } from '../phase/phases.js'
import { rescueConnections } from './attempt.js'
import { lockOwner } from './coordinator-lock.js'
import { turnMirror } from './reverse.js'
import { openSide } from './settle.js'

export interface RecoverReport {
  /** What was done, in words; empty where nothing was under way. */
  readonly done: readonly string[]
  /** Sides that did not answer, and steps that failed; run it again once their reason is gone. */
  readonly open: readonly string[]
  /** The side that takes writes now, as far as the rows that could be read say so. */
  readonly writer: Side | undefined
  readonly phase: Phase | undefined
  readonly epoch: number | undefined
}

/** A control schema from before the fleet had a roster. */
const nothingIfMissing = (error: unknown): undefined => {
  if (!isMissingRelation(error)) throw error
}

const SIDES = ['old', 'new'] as const satisfies readonly Side[]

/**
 * Looks at each side that answers: a fence is aborted there, a move is completed on the other side. Every act is
 * compare-and-set, so that any order is safe, twice gives the same, and one dead side never keeps the other one shut.
 */
export async function recover(m: Migration): Promise<RecoverReport> {
  const connections = rescueConnections(m)
  const done: string[] = []
  const open: string[] = []
  const attempt = async (what: string, act: () => Promise<unknown>): Promise<void> => {
    try {
      await act()
    } catch (error) {
      // Given as the wrong side, nothing may be done on either.
      if (isCutoverError(error, 'ERR_PREFLIGHT')) throw error
      open.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  try {
    for (const side of SIDES) {
      await attempt(`the ${side} database`, async () => {
        const row = await readSide(connections[side], m.name)
        if (row?.status === 'fenced' && (await abort(connections[side], m.name, row.epoch)))
          done.push(`epoch ${row.epoch}: the fence of the ${side} database was lifted`)
        if (row?.status === 'moved') await complete(row)
      })
    }
    const rows: SideRow[] = []
    for (const side of SIDES) {
      const row = await readSide(connections[side], m.name).catch(() => undefined)
      if (row) rows.push(row)
    }
    await Promise.all(
      rows.map((row) => attempt(`the call of the ${row.side} database`, () => endLeftCall(row))),
    )
    const writer = rows.filter(({ status }) => status === 'writer').toSorted((a, b) => b.epoch - a.epoch)[0]
    return { done, open, writer: writer?.side, phase: writer?.phase, epoch: writer?.epoch }
  } finally {
    await Promise.all(SIDES.map((side) => connections[side].close()))
  }

  /** So that nobody waits for a coordinator that is no more. One that still is ends its call itself. */
  async function endLeftCall(row: SideRow): Promise<void> {
    const { run } = connections[row.side]
    const left = await readCall(run, m.name).catch(nothingIfMissing)
    if (left === undefined || left.stage === 'over' || (await lockOwner(m, row.side)) !== undefined) return
    const outcome = row.status === 'moved' && row.epoch === left.epoch ? 'done' : 'aborted'
    if (await endCall(run, m.name, left, outcome, 'its coordinator has gone without a word'))
      done.push(`epoch ${left.epoch}: the call of ${left.coordinator} was ended`)
  }

  async function complete(moved: SideRow): Promise<void> {
    const to = otherSide(moved.side)
    await attempt(`the opening of the ${to} database`, async () => {
      if (await openSide(connections[to], m.name, moved))
        done.push(`epoch ${moved.epoch}: the ${to} database was opened`)
    })
    await attempt('the way back', async () => {
      const phase = (await readSide(connections[to], m.name))?.phase
      await turnMirror({
        m,
        moved,
        connections,
        deadline: performance.now() + m.timings.reverseTimeoutMillis,
        back: phase !== undefined && PHASES[phase].mirroredTo !== undefined,
        onProgress: (detail) => done.push(`epoch ${moved.epoch}: ${detail}`),
      })
    })
  }
}
