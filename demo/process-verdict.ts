// What each process of the application has to show for itself, and the fleet as the roster has it.
import type { Member } from '../src/fleet/words.js'
import { rounded } from './latency.js'
import type { Run } from './run.js'

/** One process of the application. */
export interface ProcessVerdict {
  readonly pid: number | undefined
  readonly acknowledged: number
  /** Its own last write on the side left to its own first on the other, the longest of all cutovers. */
  readonly longestPauseMillis: number
  /** Calls that waited in a hold, reads too, and the longest wait. */
  readonly heldCalls: number
  readonly longestHeldMillis: number
}

/** A member as `pg-cutover status` lists it, of the fleet in the phase `shadow`. */
export type MemberVerdict = Pick<
  Member,
  'service' | 'host' | 'pid' | 'version' | 'side' | 'phase' | 'epoch' | 'inFlight'
>

export function processesOf({ crew, ledger, moves }: Run): ProcessVerdict[] {
  const { tallies } = crew
  return crew.pids.map((pid, process) => ({
    pid,
    acknowledged: ledger.entries.filter((entry) => entry.process === process).length,
    longestPauseMillis: rounded(Math.max(0, ...moves.map(({ pauses }) => pauses[process]?.pauseMillis ?? 0))),
    heldCalls: tallies[process]?.held.calls ?? 0,
    longestHeldMillis: rounded(tallies[process]?.held.longestMillis ?? 0),
  }))
}

export const membersOf = ({ members }: Run): MemberVerdict[] =>
  members.map(({ service, host, pid, version, side, phase, epoch, inFlight }) => ({
    service,
    host,
    pid,
    version,
    side,
    phase,
    epoch,
    inFlight,
  }))
