// What the coordinator of an attempt asks of all members: one row a migration, on the side being left.
import type { Row, Run } from '../control/control-connection.js'
import { changeChannel } from '../control/names.js'
import { parsePhase } from '../phase/phases.js'
import { MEMBER_COLUMNS, membersOf } from './member-rows.js'
import type { Call, Member, Stage } from './words.js'

/**
 * Writes the row, tells every member the stage and the attempt, and gives the roster, in one round trip. Nobody may call for another attempt meanwhile,
 * which the coordinator's lock sees to.
 */
export async function call(run: Run, name: string, asked: Call): Promise<Member[]> {
  const rows = await run(
    `with called as (
       insert into cutover.call (name, attempt, epoch, stage, coordinator, target, tables, outcome, reason)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
       on conflict (name) do update
          set attempt = excluded.attempt, epoch = excluded.epoch, stage = excluded.stage,
              coordinator = excluded.coordinator, target = excluded.target, tables = excluded.tables,
              outcome = excluded.outcome, reason = excluded.reason, at = clock_timestamp()
       returning stage, attempt)
     select ${MEMBER_COLUMNS}
       from (select pg_notify('${changeChannel(name)}', 'call ' || stage || ' ' || attempt) from called) told
       left join cutover.member m on m.name = $1
      order by m.joined, m.member`,
    [
      name,
      asked.attempt,
      asked.epoch,
      asked.stage,
      asked.coordinator,
      asked.target,
      asked.tables,
      asked.outcome ?? null,
      asked.reason ?? null,
    ],
    'cutover_call',
  )
  return membersOf(rows)
}

/** Ends a call that its coordinator has left; one that is over stays as it is. */
export async function endCall(
  run: Run,
  name: string,
  { attempt, stage }: Call,
  outcome: NonNullable<Call['outcome']>,
  reason: string,
): Promise<boolean> {
  const rows = await run(
    `with ended as (
       update cutover.call set stage = 'over', outcome = $4, reason = $5, at = clock_timestamp()
        where name = $1 and attempt = $2 and stage = $3 and stage <> 'over' returning 1)
     select pg_notify('${changeChannel(name)}', 'call over') from ended`,
    [name, attempt, stage, outcome, reason],
  )
  return rows.length > 0
}

/** The last call, whoever made it; undefined where there was none on this side. */
export async function readCall(run: Run, name: string): Promise<Call | undefined> {
  const [row] = await run(
    `select attempt, epoch::text as call_epoch, stage, coordinator, target as call_target, tables, outcome, reason
       from cutover.call where name = $1`,
    [name],
  )
  return row && callOf(row)
}

/** Out of a row with the columns of {@link readCall}. */
export function callOf(row: Row): Call | undefined {
  if (typeof row['attempt'] !== 'string') return undefined
  return {
    attempt: row['attempt'],
    epoch: Number(row['call_epoch']),
    stage: row['stage'] as Stage,
    coordinator: String(row['coordinator']),
    target: parsePhase(row['call_target']),
    tables: row['tables'] as string[],
    outcome: (row['outcome'] ?? undefined) as Call['outcome'],
    reason: typeof row['reason'] === 'string' ? row['reason'] : undefined,
  }
}
