// Has a coordinator stand still at a step until its parent lets it go, so that a fault is there exactly when the step begins.
import { readSync } from 'node:fs'
import type { StepEvent } from '../../src/events.js'
import { shiftClock } from './bank-clock.js'
import { say } from './bank-words.js'

/** The pipe on which the parent says how to go on. */
const ORDERS = 3
/** What it may say: go on, or go on with the wall clock an hour ahead or behind. */
export const ORDER = { go: 'g', clockAhead: 'f', clockBehind: 'b' } as const

const HOUR_MILLIS = 3_600_000

/** Told of each step; stands still at the next time that the wanted one begins, once. */
export function pauseAt(wanted: { step: string | undefined }): (event: StepEvent) => void {
  return (event) => {
    if (event.state !== 'started' || event.step !== wanted.step) return
    wanted.step = undefined
    say({ e: 'paused', step: event.step, epoch: event.epoch })
    const order = read()
    if (order === ORDER.clockAhead) shiftClock(HOUR_MILLIS)
    if (order === ORDER.clockBehind) shiftClock(-HOUR_MILLIS)
  }
}

// Nothing of this process goes on meanwhile, as little as in one that is stopped.
function read(): string {
  const byte = Buffer.alloc(1)
  if (readSync(ORDERS, byte, 0, 1, null) === 0) process.exit(1)
  return byte.toString('latin1')
}
