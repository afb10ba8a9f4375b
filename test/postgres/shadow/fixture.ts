// What the tests of compared reads share: two databases, migrations over them, and waits for what was counted.
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach } from 'vitest'
import pg from 'pg'
import {
  createCutover,
  memorySource,
  type Cutover,
  type CutoverOptions,
  type EventMap,
  type Phase,
  type Side,
} from '../../../src/index.js'
import type { ShadowTotals } from '../../../src/shadow/report.js'
import { freshDatabases } from '../../support/databases.js'

export interface Compared {
  readonly urls: Readonly<Record<Side, string>>
  readonly on: Readonly<Record<Side, pg.Client>>
  /** A migration that rests in a phase and chooses calls, unless the phase compares nothing. Ended after the test. */
  begin(phase: Phase, options?: Partial<CutoverOptions>): Promise<Cutover>
}

/** The same schema and rows on both sides. */
export async function comparedSides(schema: string): Promise<Compared> {
  const databases = await freshDatabases()
  const urls = { old: databases.old, new: databases.new }
  const on = { old: new pg.Client(urls.old), new: new pg.Client(urls.new) }
  for (const side of ['old', 'new'] as const) {
    await on[side].connect()
    await on[side].query(schema)
  }
  let made: Cutover[] = []
  afterEach(async () => {
    const ending = made
    made = []
    for (const cutover of ending) await cutover.end()
  })
  afterAll(async () => {
    for (const side of ['old', 'new'] as const) await on[side].end()
    await databases.drop()
  })
  return {
    urls,
    on,
    async begin(phase, options = {}) {
      const cutover = createCutover({
        name: databases.name,
        old: { connectionString: urls.old, max: 4 },
        new: { connectionString: urls.new, max: 4 },
        source: memorySource(phase),
        ...options,
      })
      made.push(cutover)
      await cutover.ready()
      return cutover
    },
  }
}

/** What is counted is told to nobody: asks, and looks again a moment later, until the counts are as wanted. */
export async function until(
  cutover: Cutover,
  wanted: (totals: ShadowTotals) => boolean,
  ask: () => Promise<unknown> = () => Promise.resolve(),
): Promise<ShadowTotals> {
  for (;;) {
    const totals = cutover.shadow.totals()
    if (wanted(totals)) return totals
    await ask()
    await delay(2)
  }
}

export const mismatch = async (cutover: Cutover): Promise<EventMap['mismatch'][0]> => {
  const [event] = (await once(cutover, 'mismatch')) as EventMap['mismatch']
  return event
}
