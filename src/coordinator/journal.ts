// Writes each step of a change of writer into `cutover.journal` on the side being left, without ever delaying a step.
import type { Migration } from '../control/migration.js'
import type { StepEvent } from '../events.js'
import type { Side } from '../phase/phases.js'

export interface Journal {
  note(event: StepEvent): void
  /** Resolves when what was noted is written or given up. */
  close(): Promise<void>
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
