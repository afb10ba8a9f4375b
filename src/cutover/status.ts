// The state of one process's migration as plain data.
import type { MirrorStatus } from '../mirror/lag.js'
import type { Follower } from '../phase/follow.js'
import type { Phase, Side } from '../phase/phases.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { ShadowTotals } from '../shadow/report.js'
import type { FleetStatus, Mode, PhaseFrom, StateFileStatus } from './mode.js'
import type { ResolvedOptions } from './read-options.js'
import type { Shadow } from './shadowing.js'

/** What `cutover.status()` gives; safe to log and to serialise. */
export interface Status {
  readonly name: string
  readonly mode: 'direct' | 'coordinated'
  readonly phase: Phase | undefined
  /**
   * What has said the phase: `source`, `advance` for a call of it, `fallback`, `stateFile`, or `row` for the databases'
   * own rows. Undefined while no phase is known.
   */
  readonly phaseFrom: PhaseFrom | undefined
  /** The file of the option `stateFile`, and why the next start could not rely on it, if so. */
  readonly stateFile: StateFileStatus | undefined
  readonly epoch: number
  /** Where new work of this process goes. */
  readonly side: Side
  readonly route: 'unknown' | 'refusing' | 'direct' | 'armed' | 'held' | 'releasing' | 'ended'
  /** Calls that wait in the facade's line. */
  readonly waiting: number
  /** How long the present hold lasts; 0 when nothing is held. */
  readonly heldMillis: number
  /** What all holds of this process have come to since it began. */
  readonly held: {
    /** Calls that waited, however often they were let go. */
    readonly calls: number
    /** Reads that were answered meanwhile. */
    readonly reads: number
    /** The longest that one call waited. */
    readonly longestMillis: number
  }
  /** How often a statement of this process met a fence. */
  readonly fenceHits: number
  /** Checked out, being connected or waiting inside the pool of each side. */
  readonly inFlight: Readonly<Record<Side, number>>
  /**
   * What copies the writer's changes to the other side, looked at every 5 s. Undefined where the phase has no mirror, in
   * direct mode, and for a moment after the mirror has begun or was turned round.
   */
  readonly mirror: MirrorStatus | undefined
  /** This process in its fleet. Undefined in direct mode and with `members: 'fence-only'`. */
  readonly fleet: FleetStatus | undefined
  /** What became of compared reads, as `cutover.shadow.totals()` gives it. Undefined with `shadow: false`. */
  readonly shadow: ShadowTotals | undefined
  readonly source: {
    readonly name: string
    readonly lastHeard: string | undefined
    readonly lastHeardAt: string | undefined
    readonly lastWish: string | undefined
    /** Why the source's present word is not done; undefined when it is. */
    readonly whyNot: string | undefined
  }
}

/** What is true now; `mode` is undefined as long as it is being loaded. */
export function readStatus(
  options: ResolvedOptions,
  core: PoolCore,
  mode: Mode | undefined,
  { lastHeard, lastWish, whyNot }: Follower,
  shadow: Shadow,
): Status {
  const { name, control, source } = options
  const { counters } = core
  const file = mode?.stateFile
  return {
    name,
    mode: control === undefined ? 'direct' : 'coordinated',
    phase: mode?.phase,
    phaseFrom: mode?.phaseFrom,
    stateFile: file && { path: file.path, fault: file.fault },
    epoch: mode?.epoch ?? 0,
    side: core.side,
    route: core.state.kind,
    waiting: core.line.length,
    heldMillis: core.heldMillis,
    held: { calls: counters.held, reads: counters.heldReads, longestMillis: counters.longestHeldMillis },
    fenceHits: counters.fences,
    inFlight: { old: core.pools.old.inFlight, new: core.pools.new.inFlight },
    mirror: mode?.mirror,
    fleet: mode?.fleet,
    shadow: options.shadow && shadow.totals(),
    source: {
      name: source.name,
      lastHeard: lastHeard?.value,
      lastHeardAt: lastHeard?.at.toISOString(),
      lastWish,
      whyNot,
    },
  }
}
