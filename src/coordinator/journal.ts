// Writes each step of a change of writer into `cutover.journal` on the side being left, without ever delaying a step.
import type { Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import type { StepEvent } from '../events.js'
import type { Side } from '../phase/phases.js'

/** How late a step may be in the journal. */
const LATE_MILLIS = 50

export interface Journal {
  note(event: StepEvent): void
  /** Resolves when all that was noted is written or given up. */
  close(): Promise<void>
}

/** One line of the journal. */
export interface Noted {
  readonly at: string
  readonly epoch: number
  readonly step: string
  readonly state: StepEvent['state']
  readonly millis: number | undefined
  readonly detail: string | undefined
}

/** What was noted of the last attempt on this side, oldest first; empty where there was none. */
export async function lastAttempt(run: Run, name: string): Promise<Noted[]> {
  const rows = await run(
    `select at::text, epoch::text, step, state, millis, detail from cutover.journal
      where name = $1 and id >= (
        select max(id) from cutover.journal where name = $1 and step = 'prepare' and state = 'started')
      order by id`,
    [name],
  )
  return rows.map((row) => ({
    at: String(row['at']),
    epoch: Number(row['epoch']),
    step: String(row['step']),
    state: row['state'] as StepEvent['state'],
    millis: row['millis'] === null ? undefined : Number(row['millis']),
    detail: typeof row['detail'] === 'string' ? row['detail'] : undefined,
  }))
}

/** A journal that cannot be written is no reason to fail or to wait: the truth is in the rows, this is for reading. */
export function openJournal(m: Migration, side: Side): Journal {
  const connection = m.control[side].fork({ statementTimeoutMillis: 1_000, connectTimeoutMillis: 1_000 })
  // Its commits must not queue for the disk before the steps' own.
  let last: Promise<unknown> = connection.run(`select set_config('synchronous_commit', 'off', false)`)
  let lost = false
  let lines: Line[] = []
  const giveUp = (): void => void (lost = true)
  last = last.catch(giveUp)

  let timer: NodeJS.Timeout | undefined

  // All that came meanwhile in one statement: the steps of a pause need the processor.
  const write = async (): Promise<void> => {
    timer = undefined
    if (lost || lines.length === 0) return
    const batch = lines
    lines = []
    const now = performance.now()
    const column = (value: (line: Line) => unknown): unknown[] => batch.map(value)
    await connection.run(
      NOTE,
      [
        column(({ event }) => event.name),
        column(({ event }) => event.epoch),
        column(({ event }) => event.step),
        column(({ event }) => event.state),
        column(({ event }) => event.millis ?? null),
        column(({ event }) => event.detail ?? null),
        column(({ noted }) => now - noted),
      ],
      'cutover_journal',
    )
  }
  return {
    note(event) {
      lines.push({ event, noted: performance.now() })
      timer ??= setTimeout(() => void (last = last.then(write).catch(giveUp)), LATE_MILLIS)
    },
    async close() {
      clearTimeout(timer)
      last = last.then(write).catch(giveUp)
      await last
      await connection.close()
    },
  }
}

interface Line {
  readonly event: StepEvent
  readonly noted: number
}

const NOTE = `
  insert into cutover.journal (name, epoch, step, state, millis, detail, at)
  select l.name, l.epoch, l.step, l.state, l.millis, l.detail, clock_timestamp() - l.age * interval '1 millisecond'
    from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::float8[], $6::text[], $7::float8[])
         with ordinality as l(name, epoch, step, state, millis, detail, age, nr)
   order by l.nr`
