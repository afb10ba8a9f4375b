// The members of a fleet, one row each on the side that writes: joining, the beat that confirms, answering, leaving.
import type { Run } from '../control/control-connection.js'
import { answerChannel } from '../control/names.js'
import { sideRowOf, type SideRow } from '../control/side-row.js'
import type { Side } from '../phase/phases.js'
import { callOf } from './call-row.js'
import { MEMBER_COLUMNS, membersOf } from './member-rows.js'
import { FLEET_PROTOCOL, MEMBER_APPLICATION } from './words.js'
import type { Answer, Call, Member, MemberIdentity, MemberState } from './words.js'

/** What a member hears with each beat. */
export interface Heard {
  /** Undefined where this side knows no such migration. */
  readonly row: SideRow | undefined
  readonly call: Call | undefined
  /** It is in the roster of this side. Else it has to join before anything that it hears confirms it. */
  readonly listed: boolean
}

const stateValues = (state: MemberState): unknown[] => [
  state.side,
  state.phase,
  state.epoch,
  state.inFlight,
  state.oldestMillis ?? null,
  state.backends,
]

/** Puts a member into the roster, or back into it. */
export async function join(run: Run, name: string, who: MemberIdentity, state: MemberState): Promise<void> {
  await run(
    `insert into cutover.member (name, member, host, pid, service, version, protocol,
            side, phase, epoch, in_flight, oldest_millis, backends)
     values ($1, $2, $3, $4, $5, $6, ${FLEET_PROTOCOL}, $7, $8, $9, $10, $11, $12)
     on conflict (name, member) do nothing`,
    [name, who.member, who.host, who.pid, who.service, who.version, ...stateValues(state)],
  )
}

/**
 * One round trip: tells how a member is, and reads what its side's row and the coordinator say. The row and the roster are
 * read in one snapshot.
 */
export async function beat(
  run: Run,
  side: Side,
  name: string,
  member: string,
  state: MemberState,
): Promise<Heard> {
  const [found] = await run(
    `with mine as (
       update cutover.member
          set beat = beat + 1, heard = clock_timestamp(), control_pid = pg_backend_pid(),
              side = $3, phase = $4, epoch = $5, in_flight = $6, oldest_millis = $7, backends = $8
        where name = $1 and member = $2 returning 1)
     select s.identity, s.epoch::text, s.status, s.opened::text, s.reverse_lsn::text, s.phase, s.target,
            exists (select from mine) as listed,
            c.attempt, c.epoch::text as call_epoch, c.stage, c.coordinator, c.target as call_target, c.tables,
            c.outcome, c.reason
       from (select 1) here left join cutover.side s on s.name = $1 left join cutover.call c on c.name = $1`,
    [name, member, ...stateValues(state)],
    'cutover_beat',
  )
  if (!found) return { row: undefined, call: undefined, listed: false }
  // The roster may be there before the first row of the migration.
  const row = found['status'] === null ? undefined : sideRowOf(side, found)
  return { row, call: callOf(found), listed: found['listed'] === true }
}

/** Answers the coordinator of an attempt, who hears who has said what. False where this member is not in the roster. */
export async function answer(
  run: Run,
  name: string,
  member: string,
  attempt: string,
  said: Answer,
  reason?: string,
): Promise<boolean> {
  const rows = await run(
    `with said as (
       update cutover.member set attempt = $3, said = $4, reason = $5, beat = beat + 1, heard = clock_timestamp()
        where name = $1 and member = $2 returning 1)
     select pg_notify('${answerChannel(name)}', concat_ws(' ', $4, $2, $3)) from said`,
    [name, member, attempt, said, reason ?? null],
    'cutover_answer',
  )
  return rows.length > 0
}

/** Takes a member out of the roster: itself as it leaves, or the coordinator where its beat has stood still. */
export async function leave(run: Run, name: string, member: string, beat?: number): Promise<boolean> {
  const rows = await run(
    `delete from cutover.member where name = $1 and member = $2 and beat = coalesce($3, beat) returning 1`,
    [name, member, beat ?? null],
  )
  return rows.length > 0
}

/** Everybody in the roster of a side. */
export async function listMembers(run: Run, name: string): Promise<Member[]> {
  return membersOf(
    await run(
      `select ${MEMBER_COLUMNS} from cutover.member m where m.name = $1 order by m.joined, m.member`,
      [name],
      'cutover_members',
    ),
  )
}

/** Processes that speak to this database as members and are not in the roster of any migration yet. */
export async function unlistedProcesses(run: Run): Promise<number[]> {
  const rows = await run<{ pid: number }>(
    `select pid from pg_stat_activity
      where datname = current_database() and application_name = '${MEMBER_APPLICATION}'
        and pid not in (select control_pid from cutover.member)`,
  )
  return rows.map(({ pid }) => pid)
}
