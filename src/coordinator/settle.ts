// Finds out where the right to write is, ending whatever is under way: the loop of a member at the end of its hold.
import { setTimeout as delay } from 'node:timers/promises'
import type { ControlConnection } from '../control/control-connection.js'
import { abort, open, readSide } from '../control/side-row.js'
import type { SideRow } from '../control/side-row.js'
import { CutoverError, isCutoverError } from '../errors.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'
import { unblockOpen } from './unblock-open.js'

export interface SettleOptions {
  readonly name: string
  readonly from: Side
  readonly connections: Readonly<Record<Side, ControlConnection>>
  /** By `performance.now()`: when to give up. */
  readonly deadline: number
  /** How long a fence that stands may be left to its coordinator before it is aborted. Default: not at all. */
  readonly patienceMillis?: number
  /** An epoch whose fence may still come on `from`: the row there is believed only once that epoch is used up. */
  readonly useUp?: number | undefined
}

const PAUSE_MILLIS = 5

/** No migration here, the wrong database, or connections that were closed by their owner. */
const HOPELESS = ['ERR_PHASE_UNKNOWN', 'ERR_PREFLIGHT', 'ERR_ENDED'] as const

/**
 * Gives the row that says `writer`. `fenced` is aborted, `moved` is completed on the other side; only rows of the side
 * that would be used are believed. Rejects with `ERR_IN_DOUBT` if that could not be found out in time.
 */
export async function settle(options: SettleOptions): Promise<SideRow> {
  const { name, connections, deadline } = options
  const patientUntil = performance.now() + (options.patienceMillis ?? 0)
  let at = options.from
  let last: unknown
  for (let hops = 0; ; hops++) {
    // Two sides that both point to the other one are asked again at leisure.
    if (hops > 4) await delay(PAUSE_MILLIS)
    try {
      const row = await readSide(connections[at], name)
      switch (row?.status) {
        case 'writer':
          // Read while the fence was under way, it would stand a moment later.
          if (at !== options.from || options.useUp === undefined || row.epoch >= options.useUp) return row
          await abort(connections[at], name, options.useUp)
          break
        case 'fenced':
          if (performance.now() < patientUntil) await delay(PAUSE_MILLIS)
          else await abort(connections[at], name, row.epoch)
          break
        case 'moved':
          at = otherSide(at)
          await openSide(connections[at], name, row)
          break
        case 'mirror':
          at = otherSide(at)
          break
        case undefined:
          throw new CutoverError('ERR_PHASE_UNKNOWN', `the ${at} database knows no migration "${name}"`)
      }
    } catch (error) {
      if (HOPELESS.some((code) => isCutoverError(error, code))) throw error
      last = error
      await delay(PAUSE_MILLIS)
    }
    if (performance.now() > deadline) {
      throw new CutoverError(
        'ERR_IN_DOUBT',
        `it could not be found out in time where migration "${name}" may write; the ${at} database was asked last` +
          (last instanceof Error ? `: ${last.message}` : ''),
        { cause: last },
      )
    }
  }
}

/** Opens a side for whoever has read `moved` on the other one. False where that was done already. */
export async function openSide(control: ControlConnection, name: string, moved: SideRow): Promise<boolean> {
  if (moved.status !== 'moved') throw new CutoverError('ERR_RIVAL', 'only a side that was left opens another')
  try {
    return await open(control, name, moved)
  } catch (error) {
    await unblockOpen(control, error)
    return await open(control, name, moved)
  }
}
