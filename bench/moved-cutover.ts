// A migration over clients that answer at once, in any phase.
import { once } from 'node:events'
import { createCutover, memorySource, type Cutover, type Phase } from '../src/index.js'
import { stubConfig } from './stub-client.js'

/** A migration that has changed its phase before, so that its field is nothing that a compiler takes for constant. */
export async function movedTo(phase: Phase): Promise<Cutover> {
  const source = memorySource('old')
  const cutover = createCutover({
    name: `bench-${phase}`,
    old: stubConfig(2),
    new: stubConfig(2),
    source,
    control: false,
  })
  await cutover.ready()
  for (const wish of ['new', phase] as const) {
    if (cutover.phase === wish) continue
    const followed = once(cutover, 'wish')
    source.set(wish)
    await followed
  }
  while (cutover.status().route !== 'direct') await once(cutover, 'route')
  return cutover
}
