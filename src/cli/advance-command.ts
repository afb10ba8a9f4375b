// `pg-cutover advance <phase>`, `rollback` and `finish`: moves from where the migration rests.
import type { Migration } from '../control/migration.js'
import { CutoverError } from '../errors.js'
import type { Phase } from '../phase/phases.js'
import { move, type MoveFlags } from './move.js'
import type { Outcome } from './outcome.js'
import { isOutcome, restOf, type Rest } from './rest.js'
import type { Output } from './screen.js'

export interface AdvanceFlags extends MoveFlags {
  readonly phase?: Phase
}

export const advanceCommand = (m: Migration, flags: AdvanceFlags, output: Output): Promise<Outcome> =>
  fromRest(m, flags, output, () => {
    if (flags.phase !== undefined) return flags.phase
    throw new CutoverError('ERR_OPTION', 'advance needs the phase to go to')
  })

/** Back to the old database, with everything that was written to the new one. */
export const rollbackCommand = (m: Migration, flags: MoveFlags, output: Output): Promise<Outcome> =>
  fromRest(m, flags, output, ({ phase }) => {
    if (phase === 'live' || phase === 'rampdown') return 'shadow'
    throw new CutoverError(
      'ERR_PHASE_ILLEGAL',
      `rollback leads from "live" or "rampdown" to "shadow"; the phase is "${phase}"`,
    )
  })

/** Takes the mirror and the way back away. What a run before could not take away is taken away by the next one. */
export const finishCommand = (m: Migration, flags: MoveFlags, output: Output): Promise<Outcome> =>
  fromRest(m, flags, output, ({ phase }) => {
    if (phase === 'live' || phase === 'rampdown' || phase === 'new') return 'new'
    throw new CutoverError(
      'ERR_PHASE_ILLEGAL',
      `finish leads from "live" or "rampdown" to "new"; the phase is "${phase}", in which the old database takes writes`,
    )
  })

async function fromRest(
  m: Migration,
  flags: MoveFlags,
  output: Output,
  target: (rest: Rest) => Phase,
): Promise<Outcome> {
  const rest = await restOf(m)
  return isOutcome(rest) ? rest : move(m, rest, target(rest), flags, output)
}
