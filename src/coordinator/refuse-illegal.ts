// The one move between two phases that is never allowed.
import type { Migration } from '../control/migration.js'
import { CutoverError } from '../errors.js'
import type { Phase } from '../phase/phases.js'

/** Throws `ERR_PHASE_ILLEGAL` for a way back from `new`, which nothing was mirrored from. */
export function refuseIllegal(from: Phase | undefined, to: Phase, mirror: Migration['mirror']): void {
  if (from !== 'new' || to === 'new' || mirror === 'none') return
  throw new CutoverError(
    'ERR_PHASE_ILLEGAL',
    `"new" has no mirror, so there is no way from it to "${to}" without losing what was written since; it is the last phase`,
  )
}
