// Sends a mark through the mirror before anybody waits, and lets the pause begin only when one has come through quickly.
import { setTimeout as delay } from 'node:timers/promises'
import { quoteIdent, sentinelTable } from '../control/names.js'
import { CutoverError } from '../errors.js'
import type { Attempt } from './attempt.js'

/** Slower than this, the catch-up would make the pause long. */
export const QUICK_MILLIS = 250
export const LOOK_MILLIS = 5

/** Resolves when a mark took less than a quarter of a second; rejects with `ERR_PREPARE` saying how long the last one takes. */
export async function probeMirror(a: Attempt, deadline: number): Promise<void> {
  const sentinel = `cutover.${quoteIdent(sentinelTable(a.m.name, a.from))}`
  for (;;) {
    // Negative, so that it can never be taken for the mark of a fence.
    const mark = -Date.now()
    const sent = await a.left.run(
      `update ${sentinel} set epoch = $3::bigint where exists (select from cutover.side
        where name = $1 and epoch = $2::bigint - 1 and status = 'writer') returning 1`,
      [a.m.name, a.epoch, mark],
    )
    if (sent.length === 0)
      throw new CutoverError('ERR_RIVAL', 'another process has changed the right to write meanwhile')
    const began = performance.now()
    let seen = false
    while (!seen) {
      const found = await a.opening.run(`select from ${sentinel} where epoch = $1::bigint`, [mark])
      seen = found.length > 0
      if (!seen && performance.now() > deadline) {
        throw new CutoverError(
          'ERR_PREPARE',
          `the mirror to the ${a.to} database is behind: nothing has come through it for ${Math.round(performance.now() - began)} ms`,
        )
      }
      if (!seen) await delay(LOOK_MILLIS)
    }
    if (performance.now() - began < QUICK_MILLIS) return
  }
}
