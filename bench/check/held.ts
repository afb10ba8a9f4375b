// Gate of what a held query keeps on the heap.
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import type pg from 'pg'
import { createCutover, memorySource } from '../../src/index.js'
import { collect, keptBytes } from '../heap.js'
import { stubConfig } from '../stub-client.js'
import { chosen, type Gate } from './gate.js'

const HELD = 2_000
const MAX = 20
const TIMER_MILLIS = 60_000

type Ask = (pool: pg.Pool, call: number) => Promise<unknown>

const ask: Ask = (pool, call) => pool.query('select $1::int', [call])

const VARIANTS: Readonly<Record<string, Ask>> = {
  plain: (pool, call) => ask(pool, call),
  timer: (pool, call) => {
    const timer = setTimeout(() => {}, TIMER_MILLIS)
    const answer = ask(pool, call)
    answer.then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    )
    return answer
  },
}

/** What was used before is given up in some turns only, after the collection of each. */
async function settledBytes(): Promise<number> {
  for (let nr = 0; nr < 2; nr++) {
    await turn()
    collect()
  }
  return keptBytes()
}

export const held: Gate = {
  what: 'bytes on the heap that a held query keeps',
  unit: 'bytes',
  // The same on all machines of 64 bits. A timer with what it calls is 450 more.
  most: 1_500,
  warmUp: 4,
  variants: { plain: 'passes', timer: 'fails' },
  open: async (variant) => {
    const asked = chosen(VARIANTS, variant, ask)
    const source = memorySource('old')
    const cutover = createCutover({
      name: 'check',
      old: stubConfig(MAX),
      new: stubConfig(MAX),
      source,
      control: false,
      holdTimeoutMillis: 10_000,
      // They are reads, and are to wait.
      heldReadsMax: 0,
    })
    await cutover.ready()
    const { pool } = cutover
    await Promise.all(Array.from({ length: MAX }, () => pool.query('select 1')))
    return {
      sample: async () => {
        const holding = once(cutover, 'wish')
        source.set('hold')
        await holding
        const before = await settledBytes()
        const answers = Array.from({ length: HELD }, (_, call) => asked(pool, call))
        const kept = (keptBytes() - before) / HELD
        if (cutover.status().waiting !== HELD)
          throw new Error(`${cutover.status().waiting} of ${HELD} queries are held`)
        source.set('old')
        await Promise.all(answers)
        return kept
      },
      close: () => cutover.end(),
    }
  },
}
