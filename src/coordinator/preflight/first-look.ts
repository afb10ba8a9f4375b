// Checks that come before all others: each side answers, is new enough to be asked, and is the side it is given as.
import type { Migration } from '../../control/migration.js'
import { readSide } from '../../control/side-row.js'
import { isCutoverError } from '../../errors.js'
import { otherSide } from '../../phase/phases.js'
import type { Side } from '../../phase/phases.js'
import type { Found } from './check.js'
import type { Finding } from './finding.js'

/** The oldest major whose publications, triggers and statistics are what the mirror needs. */
const OLDEST_VERSION = 140_000

/** The findings that are no checks of facts, since there are none yet. All of them are errors. */
export const FIRST_FINDINGS = {
  unreachable: 'Nothing can be looked at, and nothing can be moved to or from a side that does not answer.',
  'version-too-old':
    'Its publications, triggers and statistics lack what the mirror and the fence are made of.',
  'sides-exchanged':
    'A cutover would go the wrong way: it would open the side that was left, without what was written since.',
  'subscriber-cannot-connect':
    'The server itself fetches the changes. While it does not reach the other one nothing is mirrored.',
} as const satisfies Record<string, string>

/** One of them, with the reason why it matters. */
export const firstFinding = (code: keyof typeof FIRST_FINDINGS, found: Found): Finding => ({
  code,
  severity: 'error',
  why: FIRST_FINDINGS[code],
  ...found,
})

export async function firstLook(m: Migration): Promise<Finding[]> {
  const found = await Promise.all([lookAt(m, 'old'), lookAt(m, 'new')])
  return found.flat()
}

async function lookAt(m: Migration, side: Side): Promise<Finding[]> {
  const control = m.control[side]
  try {
    const [row] = await control.run<{ version: number }>(
      `select current_setting('server_version_num')::int as version`,
    )
    const tooOld = versionFindings(side, row?.version ?? 0)
    if (tooOld.length > 0) return tooOld
    await readSide(control, m.name)
    return []
  } catch (error) {
    const message = error instanceof Error ? error.message : 'unknown'
    if (isCutoverError(error, 'ERR_PREFLIGHT'))
      return [
        firstFinding('sides-exchanged', {
          side,
          object: control.address,
          message,
          fix: `give this database as the ${otherSide(side)} side`,
        }),
      ]
    // 42501: the control schema is there and out of reach, which the privileges' check names.
    if (error instanceof Error && 'code' in error && error.code === '42501') return []
    return [
      firstFinding('unreachable', {
        side,
        object: control.address,
        message: isCutoverError(error)
          ? message
          : `the ${side} database at ${control.address} did not answer: ${message}`,
        fix: `correct the URL, user, password and database name of the ${side} side, and see that its server lets this host in (pg_hba.conf)`,
      }),
    ]
  }
}

export function versionFindings(side: Side, version: number): Finding[] {
  if (version >= OLDEST_VERSION) return []
  return [
    firstFinding('version-too-old', {
      side,
      object: 'server_version',
      message: `the ${side} server has version ${Math.floor(version / 10_000)}, at least ${OLDEST_VERSION / 10_000} is needed`,
      fix: 'upgrade the server to a newer major first',
    }),
  ]
}
