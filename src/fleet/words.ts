// What the coordinator of a change of writer and the members of the fleet say to each other, and within which times.
import type { Phase, Side } from '../phase/phases.js'

/** Raised where members of before could misunderstand a coordinator of now; then the change of writer is refused. */
export const FLEET_PROTOCOL = 1

/** How long a member may serve after it has sent the question that confirmed it. */
export const CONFIRMED_MILLIS = 2_000

/** Between two beats of a member at rest. */
export const BEAT_MILLIS = 500

/**
 * A member whose beat has stood still for so long by the coordinator's own clock does not serve: what it was told last was
 * at most one beat later, and holds for {@link CONFIRMED_MILLIS} at most.
 */
export const SILENT_MILLIS = CONFIRMED_MILLIS + 2 * BEAT_MILLIS

/** `application_name` of the connections by which members speak, so that a coordinator knows of those that are not listed. */
export const MEMBER_APPLICATION = 'pg-cutover member'

/** What a coordinator asks for, in this order; `over` ends the attempt, however it went. */
export type Stage = 'arm' | 'hold' | 'stop-reads' | 'over'

/** What a member answers: two answers to `hold`, and `failed` with a reason to any. */
export type Answer = 'armed' | 'held' | 'drained' | 'stopped' | 'failed'

/** What the coordinator of the last attempt has asked for; one row a migration, on the side being left. */
export interface Call {
  /** Names the attempt; an epoch may have several. */
  readonly attempt: string
  readonly epoch: number
  readonly stage: Stage
  /** Host and process of the coordinator. */
  readonly coordinator: string
  readonly target: Phase
  /** Tables in scope, for warming up, as `schema.table` quoted where needed. */
  readonly tables: readonly string[]
  /** With `over`: how the attempt ended. */
  readonly outcome: 'done' | 'aborted' | 'pending' | undefined
  readonly reason: string | undefined
}

/** What a member says of itself with each beat. */
export interface MemberState {
  readonly side: Side
  readonly phase: Phase
  readonly epoch: number
  /** Clients of its pools that are at work on this side. */
  readonly inFlight: number
  /** How long the oldest of them has been; undefined where none is. */
  readonly oldestMillis: number | undefined
  /** The server's process ids of its pools' connections to this side. */
  readonly backends: readonly number[]
}

/** Who a member is; the same from its start to its end. */
export interface MemberIdentity {
  /** Random, new with each start. */
  readonly member: string
  readonly host: string
  readonly pid: number
  /** What the service calls itself: `application_name` of its pools, if any. */
  readonly service: string
  /** Of this library. */
  readonly version: string
}

/** A member as the roster has it. */
export interface Member extends MemberIdentity, MemberState {
  readonly protocol: number
  readonly beat: number
  /** By the server's clock, for people: no process's clock is compared with it. */
  readonly heard: string
  readonly joined: string
  /** The attempt that `said` belongs to. */
  readonly attempt: string | undefined
  readonly said: Answer | undefined
  readonly reason: string | undefined
}

/** A member for messages. */
export const describeMember = ({ host, pid, service, version }: MemberIdentity): string =>
  `${service === '' ? 'a process' : `"${service}"`} (pid ${pid} on ${host}, pg-cutover ${version})`
