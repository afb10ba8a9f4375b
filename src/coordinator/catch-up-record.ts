// Proves, for a mirror by dual-write, that nothing is on record any more that the side being opened does not have.
import { setTimeout as delay } from 'node:timers/promises'
import { CutoverError } from '../errors.js'
import { captureCheckSql } from '../dual-write/capture-state.js'
import { checkSequences } from '../mirror/sequences.js'
import { assertHeld } from './attempt.js'
import type { Attempt } from './attempt.js'
import { because, lookAtRecord, refuseStuck } from './look-at-record.js'
import type { LookInPause } from './look-at-record.js'

/** Before the pause: has the backends read what the looks in the pause will need. */
export async function warmCatchUpRecord(a: Attempt): Promise<void> {
  await Promise.all([lookAtRecord(a), isCaptured(a)])
}

/**
 * Every look here comes after the fence, so its snapshot has all that was ever written. What was forgotten is on the disk
 * of the side being opened: the relay's commits wait for it.
 */
export async function catchUpRecord(a: Attempt, deadline: number): Promise<void> {
  const { m, from, to } = a
  a.relay?.wake()
  // Sequences are not on record, and the fence has stopped them too, since nobody inserts.
  const others = Promise.all([checkSequences(m, from), requireCaptured(a)])
  others.catch(() => {})
  let look: LookInPause | undefined
  for (;;) {
    assertHeld(a, 'catch-up')
    look = await lookAtRecord(a, look)
    if (look.oldest === undefined && look.unfinished.length === 0) break
    refuseStuck(a, look, 'ERR_CATCH_UP_TIMEOUT')
    if (performance.now() >= deadline) {
      const [table] = look.unfinished
      throw new CutoverError(
        'ERR_CATCH_UP_TIMEOUT',
        table === undefined
          ? `the ${to} database had not caught up after ${m.timings.catchUpTimeoutMillis} ms${because(look)}`
          : `${look.unfinished.length} tables of the ${to} database are not completely copied, such as ${table}${because(look)}`,
      )
    }
    await delay(1)
  }
  await others
}

/** The way back needs every write from the first one on. */
async function requireCaptured(a: Attempt): Promise<void> {
  if (await isCaptured(a)) return
  throw new CutoverError(
    'ERR_CATCH_UP_TIMEOUT',
    `a table of the ${a.to} database lost its capture since the preparation, so nothing would lead back`,
  )
}

async function isCaptured({ m, to, opening, captured }: Attempt): Promise<boolean> {
  const [row] = await opening.run<{ ok: boolean }>(`select ${captureCheckSql(m, captured?.[to] ?? [])} as ok`)
  return row?.ok === true
}
