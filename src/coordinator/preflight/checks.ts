// The table of all checks; its keys are the codes of the findings.
import type { Check, Context } from './check.js'
import { COLUMN_CHECKS } from './column-checks.js'
import { CONTENT_CHECKS } from './content-checks.js'
import type { Finding, Stage } from './finding.js'
import { PRIVILEGE_CHECKS } from './privilege-checks.js'
import { SCHEMA_CHECKS } from './schema-checks.js'
import { SERVER_CHECKS } from './server-checks.js'

export const CHECKS = {
  ...SERVER_CHECKS,
  ...PRIVILEGE_CHECKS,
  ...SCHEMA_CHECKS,
  ...COLUMN_CHECKS,
  ...CONTENT_CHECKS,
} as const satisfies Record<string, Check>

export function runChecks(context: Context, stage: Stage): Finding[] {
  const checks: [string, Check][] = Object.entries(CHECKS)
  return checks
    .filter(([, check]) => check.stage === undefined || check.stage === stage)
    .filter(([, check]) => check.replication !== true || context.m.mirror === 'replication')
    .flatMap(([code, { severity, find }]) => find(context).map((found) => ({ code, severity, ...found })))
}
