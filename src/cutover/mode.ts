// What the two ways to run have in common, as the rest of a migration sees them.
import { CutoverError } from '../errors.js'
import type { CutoverEvent } from '../events.js'
import type { MirrorStatus } from '../mirror/lag.js'
import type { Phase, Wish } from '../phase/phases.js'

/**
 * What has said the phase of a process: the source, a call of `advance()`, `fallback`, the state file, or the databases'
 * rows (and `old` where they do not have one yet).
 */
export type PhaseFrom = 'source' | 'advance' | 'fallback' | 'stateFile' | 'row'

/** A file that remembers the phase, and why the next start could not rely on it, if so. */
export interface StateFileStatus {
  readonly path: string
  readonly fault: string | undefined
}

/** This process as a member of its fleet. */
export interface FleetStatus {
  /** Its name in the roster, which is new with each start. */
  readonly member: string
  /** It is in the roster of the side that it uses. */
  readonly listed: boolean
  /**
   * How long it may serve by what it was told last; new work waits at 0, unless the side that it uses takes no connection.
   * Undefined as long as nothing can have moved, since the migration has not begun.
   */
  readonly confirmedMillis: number | undefined
}

/** Direct or coordinated: how a process learns of its phase and changes it. */
export interface Mode {
  /** The phase that this process serves by; undefined while none is known. */
  readonly phase: Phase | undefined
  readonly phaseFrom: PhaseFrom | undefined
  readonly stateFile?: StateFileStatus | undefined
  /** The number of the last change of writer that this process knows of. */
  readonly epoch: number
  /** What copies the writer's changes to the other side, as it was last seen. */
  readonly mirror?: MirrorStatus | undefined
  /** Undefined where nobody is asked before the writer changes. */
  readonly fleet?: FleetStatus | undefined
  /** Finds the phase that is remembered, if any, and begins to serve by it. */
  start(): Promise<void>
  /** Does what a source asks for; gives the reason where it does nothing. */
  follow(wish: Wish): Promise<string | undefined>
  /** Changes the phase. Resolves with the event of the cutover if the writer changed. */
  change(phase: Phase): Promise<CutoverEvent | undefined>
  close(): Promise<void>
}

export const busy = (): CutoverError =>
  new CutoverError('ERR_BUSY', 'a change of phase is running in this process')
