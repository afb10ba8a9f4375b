// Writes each step of a change of writer into `cutover.journal` on the side being left, without ever delaying a step.
import type { Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import type { StepEvent } from '../events.js'
import type { Side } from '../phase/phases.js'

export interface Journal {
  note(event: StepEvent): void
  /** Resolves when what was noted is written or given up. */
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
  const giveUp = (): void => void (lost = true)
  last = last.catch(giveUp)
  return {
    note({ name, epoch, step, state, millis, detail }) {
      last = last
        .then(() =>
          lost
            ? undefined
            : connection.run(
                `insert into cutover.journal (name, epoch, step, state, millis, detail) values ($1, $2, $3, $4, $5, $6)`,
                [name, epoch, step, state, millis ?? null, detail ?? null],
              ),
        )
        .catch(giveUp)
    },
    async close() {
      await last
      await connection.close()
    },
  }
}
