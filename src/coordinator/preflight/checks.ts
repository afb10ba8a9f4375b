// The table of all checks; its keys are the codes of the findings.
import { ACTIVITY_CHECKS } from './activity-checks.js'
import type { Check, Context } from './check.js'
import { COLUMN_CHECKS } from './column-checks.js'
import { COLUMN_PRESENCE_CHECKS } from './column-presence-checks.js'
import { CONTENT_CHECKS } from './content-checks.js'
import type { Finding, Stage } from './finding.js'
import { MAPPING_CHECKS } from './mapping-checks.js'
import { MEANING_CHECKS } from './meaning-checks.js'
import { NEIGHBOUR_CHECKS } from './neighbour-checks.js'
import { OBJECT_CHECKS } from './object-checks.js'
import { PRIVILEGE_CHECKS } from './privilege-checks.js'
import { RELAY_CHECKS } from './relay-checks.js'
import { RIGHTS_CHECKS } from './rights-checks.js'
import { ROW_CHECKS } from './row-checks.js'
import { SCHEMA_CHECKS } from './schema-checks.js'
import { SEQUENCE_CHECKS } from './sequence-checks.js'
import { SERVER_CHECKS } from './server-checks.js'
import { SHAPE_CHECKS } from './shape-checks.js'
import { WAY_CHECKS } from './way-checks.js'

export const CHECKS = {
  ...SERVER_CHECKS,
  ...MEANING_CHECKS,
  ...ACTIVITY_CHECKS,
  ...PRIVILEGE_CHECKS,
  ...RIGHTS_CHECKS,
  ...MAPPING_CHECKS,
  ...SCHEMA_CHECKS,
  ...COLUMN_PRESENCE_CHECKS,
  ...COLUMN_CHECKS,
  ...ROW_CHECKS,
  ...SHAPE_CHECKS,
  ...OBJECT_CHECKS,
  ...SEQUENCE_CHECKS,
  ...CONTENT_CHECKS,
  ...NEIGHBOUR_CHECKS,
  ...RELAY_CHECKS,
  ...WAY_CHECKS,
} as const satisfies Record<string, Check>

export function runChecks(context: Context, stage: Stage): Finding[] {
  const checks: [string, Check][] = Object.entries(CHECKS)
  return checks
    .filter(([, check]) => check.stage === undefined || check.stage === stage)
    .filter(([, check]) => check.mirrors?.includes(context.m.mirror) ?? true)
    .flatMap(([code, { severity, why, find }]) =>
      find(context).map((found) => ({ code, severity, why, ...found })),
    )
}
