// `pg-cutover preflight`: everything that would make the migration fail, each with its fix.
import type { Migration } from '../control/migration.js'
import { preflight, type Stage } from '../coordinator/preflight.js'
import { knowingPoolRoles } from './application-role.js'
import { errorsIn, findingLines } from './finding-text.js'
import { EXIT, type Outcome } from './outcome.js'
import { look } from './look.js'
import type { Output } from './screen.js'

export async function preflightCommand(
  given: Migration,
  flags: { readonly stage?: Stage },
  { paint }: Output,
): Promise<Outcome> {
  // A side that does not answer is one of the findings.
  const { writer, mirrors } = await look(given)
  const from = writer?.side ?? 'old'
  const m = await knowingPoolRoles(given, from)
  const stage = flags.stage ?? (mirrors.some((mirror) => mirror.from === from) ? 'cutover' : 'mirror')
  const findings = await preflight(m, from, stage)
  const errors = errorsIn(findings).length
  const summary = `${errors} errors, ${findings.length - errors} warnings ${stage === 'mirror' ? 'before the mirror is made' : 'before a change of writer'}, ${from} being the side that takes writes`
  return {
    exit: errors > 0 ? EXIT.refused : EXIT.done,
    lines: [...findingLines(findings, paint), errors > 0 ? paint.bad(summary) : paint.good(summary)],
    json: { name: m.name, stage, from, errors, warnings: findings.length - errors, findings },
  }
}
