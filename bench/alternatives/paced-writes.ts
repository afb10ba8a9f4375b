// Writes at a steady pace whether or not the ones before were answered, and what a change of database did to them.
import { setTimeout as delay } from 'node:timers/promises'
import { quantile } from '../paired.js'

export const WRITES_A_SECOND = 500
const REST_MILLIS = 250
const AFTER_MILLIS = 300
const TICK_MILLIS = 1

/** One write, from the moment when it was due, so that what delays its sending counts as well. */
export interface Write {
  readonly due: number
  readonly answered: number
  /** Of the server that did it; undefined where it failed. */
  readonly port: number | undefined
  readonly failure?: string
}

/** What callers saw of one change. */
export interface Seen {
  /** The longest of the writes that were under way between the two sides, above the median of those before. */
  readonly addedMillis: number
  /** The longest of all that were answered after the change began, above the same. */
  readonly mostAddedMillis: number
  /** From the last answer of the server that was left to the first of the other; below 0 where they overlap. */
  readonly pauseMillis: number
  /** Writes that the one server answered after the first answer of the other. */
  readonly crossed: number
  readonly written: number
  readonly failed: number
  readonly failure: string | undefined
  /** Until the change was done, with what it does before and after its pause. */
  readonly changeMillis: number
}

/** `write` gives the port of the server that has done it. */
export async function changeUnderLoad(
  write: () => Promise<number>,
  change: () => Promise<void>,
): Promise<Seen> {
  const taken: Write[] = []
  const underWay = new Set<Promise<void>>()
  const send = (due: number): void => {
    const one = write().then(
      (port) => void taken.push({ due, answered: performance.now(), port }),
      (error: unknown) =>
        void taken.push({ due, answered: performance.now(), port: undefined, failure: String(error) }),
    )
    underWay.add(one)
    void one.then(() => underWay.delete(one))
  }
  const began = performance.now()
  let sent = 0
  const timer = setInterval(() => {
    for (;;) {
      const due = began + (sent * 1_000) / WRITES_A_SECOND
      if (due > performance.now()) return
      sent++
      send(due)
    }
  }, TICK_MILLIS)
  try {
    await delay(REST_MILLIS)
    const changing = performance.now()
    await change()
    const changed = performance.now()
    await delay(AFTER_MILLIS)
    clearInterval(timer)
    await Promise.all(underWay)
    return seenOf(taken, changing, changed)
  } finally {
    clearInterval(timer)
    await Promise.all(underWay)
  }
}

/** The server that was left is the one of the first answer. Without a change nothing lies between two sides. */
export function seenOf(taken: readonly Write[], changing: number, changed: number): Seen {
  const done = taken.filter(({ port }) => port !== undefined).toSorted((a, b) => a.answered - b.answered)
  const latency = ({ due, answered }: Write): number => answered - due
  const before = done.filter(({ answered }) => answered < changing).map(latency)
  const usual = quantile(before, 0.5)
  const longest = (writes: readonly Write[]): number => Math.max(...writes.map(latency)) - usual
  const left = done[0]?.port
  const ofLeft = done.filter(({ port }) => port === left)
  const closed = ofLeft.at(-1)?.answered ?? Number.NaN
  const opened = done.find(({ port }) => port !== left)?.answered ?? Number.NaN
  const [from, to] = [Math.min(closed, opened), Math.max(closed, opened)]
  return {
    addedMillis: longest(done.filter(({ due, answered }) => due <= to && answered >= from)),
    mostAddedMillis: longest(done.filter(({ answered }) => answered >= changing)),
    pauseMillis: opened - closed,
    crossed: ofLeft.filter(({ answered }) => answered > opened).length,
    written: done.length,
    failed: taken.length - done.length,
    failure: taken.find(({ failure }) => failure !== undefined)?.failure,
    changeMillis: changed - changing,
  }
}
