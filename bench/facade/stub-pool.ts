// A pool that answers without any work, and a facade over it that has been through holds and flips.
import { once } from 'node:events'
import pg from 'pg'
import { createCutover, memorySource, type Sampler } from '../../src/index.js'
import { stubConfig } from '../stub-client.js'

const ANSWER: Promise<unknown> = Promise.resolve({ command: 'SELECT', rows: [] })

/** A real pool whose `query` answers without any work. */
class StubPool extends pg.Pool {
  calls = 0
  override query(): never {
    this.calls++
    return ANSWER as never
  }
}

export const stubPool = (): pg.Pool => new StubPool(stubConfig(10))

const EARLY = 1_000

/** A cutover at rest on OLD that has been through holds and flips, so that its call sites have seen every route. */
export async function livedCutover(stub: pg.Pool, sampler?: Sampler) {
  const source = Object.assign(memorySource(), { sampler })
  const other = stubPool()
  const cutover = createCutover({
    name: 'bench',
    old: stub,
    new: other,
    source,
    control: false,
    // A stub has no sessions to read in.
    heldReadsMax: 0,
  })
  const { pool } = cutover
  for (const phase of ['old', 'new', 'old'] as const) {
    // The first ones wait for a phase, the others may find any route.
    const early = Array.from({ length: EARLY }, () => pool.query('select $1::int', [1]))
    const followed = once(cutover, 'wish')
    source.set(phase)
    await followed
    await Promise.all(early)
    while (cutover.status().route !== 'direct') await once(cutover, 'route')
  }
  return {
    pool,
    async end() {
      await cutover.end()
      // Handed in, so ours to end: the timers of their idle clients would keep the process for ten seconds.
      await Promise.all([stub.end(), other.end()])
    },
  }
}
