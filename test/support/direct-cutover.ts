// A migration of direct mode that knows its phase, for the tests of what stands on it.
import type pg from 'pg'
import { createCutover, memorySource, type Cutover, type Side, type Source } from '../../src/index.js'

/** `old` to begin with, unless the source says otherwise. A URL, or a config of pg. Whoever asked ends it. */
export async function directCutover(
  databases: Readonly<Record<Side, string | pg.PoolConfig>>,
  name: string,
  source: Source = memorySource('old'),
): Promise<Cutover> {
  const cutover = createCutover({
    name,
    old: configOf(databases.old),
    new: configOf(databases.new),
    source,
    control: false,
    mirror: 'none',
  })
  await cutover.ready()
  return cutover
}

function configOf(place: string | pg.PoolConfig): pg.PoolConfig {
  return typeof place === 'string' ? { connectionString: place } : place
}
