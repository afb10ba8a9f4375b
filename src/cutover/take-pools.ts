// Makes the two pools of a migration, or takes those that were handed in, each for one migration alone.
import pg from 'pg'
import { CutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'
import { innerPool } from '../pool/pg-internals.js'
import type { PoolCoreOptions } from '../pool/pool-core-options.js'
import type { ResolvedOptions } from './read-options.js'

/** Two cores over one pool would never drain for each other's work, and a source speaks to the last who listens. */
export const owned = new WeakSet<object>()

/** Throws `ERR_OPTION` for a pool that belongs to another migration or was ended; then neither is taken. */
export function takePools(options: ResolvedOptions): PoolCoreOptions['pools'] {
  const taken = { old: takePool(options, 'old'), new: takePool(options, 'new') }
  // Only now that neither was refused.
  for (const given of Object.values(options.pools)) if (given instanceof pg.Pool) owned.add(given)
  return taken
}

function takePool(options: ResolvedOptions, side: Side): PoolCoreOptions['pools'][Side] {
  const given = options.pools[side]
  // Each view that is listened to listens to it, and there may be any number of them.
  if (!(given instanceof pg.Pool))
    return { inner: innerPool(new pg.Pool(given).setMaxListeners(0)), handedIn: false }
  const fault = owned.has(given)
    ? 'already belongs to another migration'
    : given.ending
      ? 'was ended; pass an open one'
      : undefined
  if (fault !== undefined)
    throw new CutoverError('ERR_OPTION', `createCutover: the pool given as ${side} ${fault}`)
  return { inner: innerPool(given), handedIn: true }
}
