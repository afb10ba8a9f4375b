// Takes the source and the pools that were given to a migration, each for one migration alone, or makes the pools.
import { CutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'
import type { Sampler, Source } from '../phase/source.js'
import { innerPool, pg } from '../pool/pg-internals.js'
import type { PoolCoreOptions } from '../pool/pool-core-options.js'
import type { ResolvedOptions } from './read-options.js'

/** Two cores over one pool would never drain for each other's work, and a source speaks to the last who listens. */
export const owned = new WeakSet<object>()

/** Throws `ERR_OPTION` for what belongs to another migration, was ended or cannot be used; then nothing is taken. */
export function takeGiven(options: ResolvedOptions): {
  readonly pools: PoolCoreOptions['pools']
  readonly sampler: Sampler | undefined
} {
  const { source } = options
  const sampler = readSampler(source)
  if (owned.has(source))
    throw new CutoverError(
      'ERR_OPTION',
      `createCutover: the source "${source.name}" already belongs to another migration; expected one for each`,
    )
  const pools = takePools(options)
  owned.add(source)
  return { pools, sampler }
}

function takePools(options: ResolvedOptions): PoolCoreOptions['pools'] {
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

/** The sampler of a source, if it has one. Throws `ERR_OPTION` where it cannot be used. */
function readSampler({ name, sampler }: Source): Sampler | undefined {
  if (sampler === undefined) return undefined
  const { perSecond }: { readonly perSecond: unknown } = sampler
  const isRate = typeof perSecond === 'number' && perSecond > 0 && perSecond <= 1_000
  if (!isRate || typeof sampler.take !== 'function')
    throw new CutoverError(
      'ERR_OPTION',
      `createCutover: the sampler of the source "${name}" has perSecond ${String(perSecond)} and take of type ${typeof sampler.take}; expected a number above 0 and up to 1,000, and a function`,
    )
  return sampler
}
