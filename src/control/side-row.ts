// The one row a side that holds the right to write: reading it, and the compare-and-set statements that change it.
import { CutoverError } from '../errors.js'
import { otherSide, parsePhase } from '../phase/phases.js'
import type { Phase, Side } from '../phase/phases.js'
import type { ControlConnection, Row } from './control-connection.js'
import { changeChannel } from './names.js'
import { isMissingRelation } from './unit.js'

/** Who may write on a side: `writer` everybody, `fenced` nobody yet or again, `moved` and `mirror` the mirror alone. */
export type SideStatus = 'writer' | 'fenced' | 'moved' | 'mirror'

export interface SideRow {
  readonly side: Side
  readonly epoch: number
  readonly status: SideStatus
  /** The last epoch whose fence is lifted here; triggers with a greater argument refuse. */
  readonly opened: number
  /** The other side's position from which the mirror back has to start. Set by `decide` and carried over by `open`. */
  readonly reverseLsn: string | undefined
  /** The phase between two changes of writer; true on the writer's row only. */
  readonly phase: Phase | undefined
  /** The phase that the attempt of this epoch leads to; set by the fence. */
  readonly target: Phase | undefined
}

type Connection = Pick<ControlConnection, 'run' | 'side' | 'address'>

/** Undefined where nothing was prepared yet. Refuses a database that was prepared as the other side. */
export async function readSide(control: Connection, name: string): Promise<SideRow | undefined> {
  const found = await control
    .run(
      `select identity, epoch::text, status, opened::text, reverse_lsn::text, phase, target
         from cutover.side where name = $1`,
      [name],
    )
    .catch((error: unknown) => {
      if (isMissingRelation(error)) return []
      throw error
    })
  const row = found[0]
  if (!row) return undefined
  if (row['identity'] !== control.side) {
    throw new CutoverError(
      'ERR_PREFLIGHT',
      `the database at ${control.address} is given as the ${control.side} one but was prepared as the ${otherSide(control.side)} one of migration "${name}"; exchange the two URLs`,
    )
  }
  return sideRowOf(control.side, row)
}

/** Out of the columns that {@link readSide} reads. */
export function sideRowOf(side: Side, row: Row): SideRow {
  const phaseOf = (value: unknown): Phase | undefined => (value === null ? undefined : parsePhase(value))
  return {
    side,
    epoch: Number(row['epoch']),
    status: row['status'] as SideStatus,
    opened: Number(row['opened']),
    reverseLsn: typeof row['reverse_lsn'] === 'string' ? row['reverse_lsn'] : undefined,
    phase: phaseOf(row['phase']),
    target: phaseOf(row['target']),
  }
}

/** The row of the side that takes writes when the migration begins. A row that is there already stays as it is. */
export const insertWriter = (control: Connection, name: string, phase: Phase): Promise<boolean> =>
  changed(
    control,
    name,
    `insert into cutover.side (name, identity, epoch, status, opened, phase)
     values ($1, $2, 0, 'writer', 0, $3) on conflict do nothing`,
    [control.side, phase],
  )

/**
 * The row of the side that is only mirrored to. Never more than an insert: a side that was left stays `moved`, and a late
 * prepare that wrote `mirror` over it would make an open side impossible to fence again, or leave both shut.
 */
export const insertMirror = (control: Connection, name: string): Promise<boolean> =>
  changed(
    control,
    name,
    `insert into cutover.side (name, identity, epoch, status, opened)
     values ($1, $2, 0, 'mirror', 0) on conflict do nothing`,
    [control.side],
  )

/**
 * Lifts the fence of this epoch, by anyone and at any time before `decide`. Where the fence has not come yet it uses the
 * epoch up, so that a late fence finds no row and cannot hit resumed traffic.
 */
export const abort = (control: Connection, name: string, epoch: number): Promise<boolean> =>
  changed(
    control,
    name,
    `update cutover.side set status = 'writer', epoch = $2::bigint, opened = $2::bigint, target = null
      where name = $1 and ((epoch = $2::bigint and status = 'fenced') or (epoch = $2::bigint - 1 and status = 'writer'))`,
    [epoch],
  )

/** The point of no return, on the side being left. False: somebody has aborted, and nothing may follow. */
export const decide = (
  control: Connection,
  name: string,
  epoch: number,
  position: string | undefined,
): Promise<boolean> =>
  changed(
    control,
    name,
    `update cutover.side set status = 'moved', reverse_lsn = $3::pg_lsn
      where name = $1 and epoch = $2::bigint and status = 'fenced'`,
    [epoch, position ?? null],
    'cutover_decide',
  )

/** Gives the right to write to this side. Only for those who have read `moved(epoch)` on the other one. */
export const open = (control: Connection, name: string, moved: SideRow): Promise<boolean> =>
  changed(
    control,
    name,
    `update cutover.side set epoch = $2::bigint, opened = $2::bigint, status = 'writer', reverse_lsn = $3::pg_lsn,
            relay_generation = relay_generation + 1, phase = coalesce($4, phase), target = null
      where name = $1 and epoch < $2::bigint`,
    [moved.epoch, moved.reverseLsn ?? null, moved.target ?? null],
    'cutover_open',
  )

/** Notes another phase with the same writer. False: the row is no longer what the caller has read. */
export const setPhase = (control: Connection, name: string, row: SideRow, phase: Phase): Promise<boolean> =>
  changed(
    control,
    name,
    `update cutover.side set phase = $4
      where name = $1 and epoch = $2::bigint and status = 'writer' and phase is not distinct from $3`,
    [row.epoch, row.phase ?? null, phase],
  )

// The announcement belongs to the statement, so that nobody hears of a change that was rolled back.
async function changed(
  control: Connection,
  name: string,
  statement: string,
  values: readonly unknown[],
  prepareAs?: string,
): Promise<boolean> {
  const rows = await control.run(
    `with changed as (${statement} returning status, epoch)
     select pg_notify('${changeChannel(name)}', '${control.side} ' || status || ' ' || epoch) from changed`,
    [name, ...values],
    prepareAs,
  )
  return rows.length > 0
}
