// `pg-cutover prepare`: everything up to a running mirror, with the grants of the service; goes on where it stopped.
import type { Migration } from '../control/migration.js'
import { grantMembers, memberGrants, missingMemberGrants, requireRoles } from '../control/grants.js'
import { recordTable } from '../control/names.js'
import { beginMirror, ensureRows, refuseErrors } from '../coordinator/begin-mirror.js'
import { movePhase } from '../coordinator/move-phase.js'
import { preflight } from '../coordinator/preflight.js'
import { CutoverError } from '../errors.js'
import { writerOf, type Phase, type Side } from '../phase/phases.js'
import { knowingPoolRoles } from './application-role.js'
import { carryOut } from './carry-out.js'
import { errorsIn, findingLines } from './finding-text.js'
import { EXIT, type Outcome } from './outcome.js'
import { isOutcome, restOf, type Rest } from './rest.js'
import type { Output } from './screen.js'

export interface PrepareFlags {
  readonly dryRun?: true
}

type Grants = Readonly<Record<Side, readonly string[]>>

const SIDES = ['old', 'new'] as const satisfies readonly Side[]

export async function prepareCommand(
  given: Migration,
  flags: PrepareFlags,
  output: Output,
  applicationRoles: readonly string[],
): Promise<Outcome> {
  const rest = await restOf(given)
  if (isOutcome(rest)) return rest
  const m = await knowingPoolRoles(given, writerOf(rest.phase))
  if (rest.unreachable.length > 0) throw new CutoverError('ERR_UNREACHABLE', rest.unreachable.join('; '))
  if (writerOf(rest.phase) === 'new')
    throw new CutoverError(
      'ERR_PHASE_ILLEGAL',
      `prepare mirrors the old database to the new one, and the phase is "${rest.phase}": the new one takes writes already`,
    )
  for (const side of SIDES) await requireRoles(m.control[side], applicationRoles)
  if (flags.dryRun) return dryRun(m, rest, applicationRoles, output)
  const { result: granted, seen } = await carryOut(m, 'old', output, (guarded) =>
    prepare(guarded, rest.phase, applicationRoles),
  )
  const phase = reached(m, rest)
  return {
    exit: EXIT.done,
    lines: [
      ...seen.shown,
      ...grantLines('Granted', granted),
      output.paint.good(
        m.mirror === 'none'
          ? 'Prepared without a mirror.'
          : `Prepared: the new database has every row and is mirrored to by ${m.mirror}, phase "${phase}".`,
      ),
    ],
    json: { name: m.name, from: rest.phase, phase, granted, warnings: seen.warnings },
  }
}

const reached = (m: Migration, { phase }: Rest): Phase =>
  m.mirror !== 'none' && phase === 'old' ? 'mirror' : phase

async function prepare(m: Migration, phase: Phase, roles: readonly string[]): Promise<Grants> {
  // Before anything is made. What the grants below mend needs no word.
  const findings = await preflight(m, 'old', 'mirror')
  refuseErrors(
    m,
    findings.filter(({ code, object }) => code !== 'member-grants' || !roles.includes(object ?? '')),
  )
  await ensureRows(m, 'old', phase)
  // Before the copy, which may take days: a service of these roles can be a member meanwhile.
  const first = await grant(m, roles)
  if (m.mirror === 'none') return first
  if (phase === 'old') await movePhase(m, 'old', 'mirror', { onLeftBehind: () => {} })
  else await beginMirror(m, 'old', phase)
  // The record of a mirror by dual-write is there only now.
  const second = await grant(m, roles)
  return { old: [...first.old, ...second.old], new: [...first.new, ...second.new] }
}

async function grant(m: Migration, roles: readonly string[]): Promise<Grants> {
  const record = recordOf(m)
  return {
    old: await grantMembers(m.control.old, roles, record),
    new: await grantMembers(m.control.new, roles, record),
  }
}

const recordOf = (m: Migration): string | undefined =>
  m.mirror === 'dual-write' ? recordTable(m.name) : undefined

async function dryRun(
  m: Migration,
  rest: Rest,
  roles: readonly string[],
  { paint }: Output,
): Promise<Outcome> {
  const findings = await preflight(m, 'old', 'mirror')
  const errors = errorsIn(findings).length
  const would: Record<Side, readonly string[]> = { old: [], new: [] }
  for (const side of SIDES) {
    const of = (role: string): Promise<string[]> =>
      rest.begun
        ? missingMemberGrants(m.control[side].run, role, recordOf(m))
        : Promise.resolve(memberGrants(role, recordOf(m)))
    would[side] = (await Promise.all(roles.map(of))).flat()
  }
  const acts = actsOf(m, rest)
  return {
    exit: errors > 0 ? EXIT.refused : EXIT.done,
    lines: [
      ...findingLines(findings, paint),
      'It would:',
      ...acts.map((act) => `  - ${act}`),
      ...grantLines('And grant', would),
      ...(errors > 0 ? [paint.bad(`It would be refused: ${errors} errors above.`)] : []),
    ],
    json: {
      name: m.name,
      dryRun: true,
      from: rest.phase,
      to: reached(m, rest),
      wouldDo: acts,
      wouldGrant: would,
      refused: errors > 0,
      findings,
    },
  }
}

function actsOf(m: Migration, { phase, begun }: Rest): string[] {
  if (m.mirror === 'none') return ['make the schema "cutover" and the rows of the migration on both sides']
  if (phase !== 'old')
    return ['add to the mirror what is new in its scope, and wait until all of it is copied']
  return [
    ...(begun ? [] : ['make the schema "cutover" and the rows of the migration on both sides']),
    'have the new database refuse writes of applications',
    `mirror the old database to it by ${m.mirror}, with an initial copy of all rows`,
    'note the phase "mirror"',
  ]
}

function grantLines(heading: string, grants: Grants): string[] {
  const lines = SIDES.flatMap((side) => grants[side].map((statement) => `  on ${side}: ${statement};`))
  return lines.length === 0 ? [] : [`${heading}:`, ...lines]
}
