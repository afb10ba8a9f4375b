// Takes a migration from the phase it rests in to another one: what `advance`, `rollback` and `finish` have in common.
import type { Migration } from '../control/migration.js'
import { movePhase } from '../coordinator/move-phase.js'
import { preflight } from '../coordinator/preflight.js'
import { refuseIllegal } from '../coordinator/refuse-illegal.js'
import { CutoverError } from '../errors.js'
import { writerOf, type Phase } from '../phase/phases.js'
import { readReal } from '../shadow/store-reading.js'
import { knowingPoolRoles } from './application-role.js'
import { carryOut } from './carry-out.js'
import { errorsIn, findingLines } from './finding-text.js'
import { movedOutcome } from './move-outcome.js'
import { planOf, type MovePlan } from './move-plan.js'
import { EXIT, type Outcome } from './outcome.js'
import type { Rest } from './rest.js'
import type { Output } from './screen.js'

export interface MoveFlags {
  readonly yes?: true
  readonly dryRun?: true
  readonly despite?: 'mismatches'
}

/** Asks, carries it out and tells. Rejects with everything as it was before, but for what `recover` ends. */
export async function move(
  given: Migration,
  rest: Rest,
  to: Phase,
  flags: MoveFlags,
  output: Output,
): Promise<Outcome> {
  const m = await knowingPoolRoles(given, writerOf(rest.phase))
  const plan = planOf(m, rest.phase, to)
  refuseIllegal(plan.from, to, m.mirror)
  // What only takes the mirror away can do without the side that was left: it may be switched off for good.
  if (rest.unreachable.length > 0 && (plan.changesWriter || plan.beginsMirror))
    throw new CutoverError('ERR_UNREACHABLE', rest.unreachable.join('; '))
  if (flags.despite !== 'mismatches') await refuseMismatches(m, plan)
  if (flags.dryRun) return dryRun(m, rest, plan, output)
  if (plan.question !== undefined && !flags.yes && !(await output.confirm(plan.question)))
    return {
      exit: EXIT.refused,
      lines: ['Nothing was changed.'],
      json: { name: m.name, phase: plan.from, changed: false },
    }
  const { result: event, seen } = await carryOut(m, writerOf(plan.from), output, (guarded) =>
    movePhase(guarded, plan.from, to, {
      onLeftBehind: (error) =>
        m.events.publish('warning', {
          name: m.name,
          code: 'MIRROR_NOT_DROPPED',
          message: error instanceof Error ? error.message : String(error),
        }),
    }),
  )
  return movedOutcome(m, plan, event, seen, output)
}

/** As `advance()` of a service does. */
async function refuseMismatches(m: Migration, { from, to }: MovePlan): Promise<void> {
  if (writerOf(from) === 'new' || writerOf(to) === 'old') return
  const { real } = await readReal(m.control, m.name, '')
  if (real === 0) return
  throw new CutoverError(
    'ERR_MISMATCH',
    `${real} compared ${real === 1 ? 'read' : 'reads'} of "${m.name}" differed for real, so the writer was not changed. See pg-cutover shadow; mend what differs and count anew with shadow --reset, or go on with --despite mismatches`,
  )
}

async function dryRun(m: Migration, rest: Rest, plan: MovePlan, { paint }: Output): Promise<Outcome> {
  // Where the copy comes first, only its own obstacles can be seen yet.
  const stage = plan.beginsMirror ? 'mirror' : plan.changesWriter ? 'cutover' : undefined
  const findings = stage === undefined ? [] : await preflight(m, writerOf(plan.from), stage)
  const errors = errorsIn(findings).length
  const { acts } = plan
  return {
    exit: errors > 0 ? EXIT.refused : EXIT.done,
    lines: [
      ...findingLines(findings, paint),
      ...(acts.length === 0
        ? [`The phase is "${plan.to}" already: there is nothing to do.`]
        : [`From phase "${plan.from}" it would:`, ...acts.map((act) => `  - ${act}`)]),
      ...(errors > 0 ? [paint.bad(`It would be refused: ${errors} errors above.`)] : []),
    ],
    json: {
      name: m.name,
      dryRun: true,
      from: plan.from,
      to: plan.to,
      epoch: rest.epoch,
      changesWriter: plan.changesWriter,
      wouldDo: acts,
      asks: plan.question ?? null,
      refused: errors > 0,
      findings,
    },
  }
}
