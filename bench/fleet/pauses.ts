// The pause of a whole fleet: changes of writer there and back under load, by the callers' own clocks.
import { setTimeout as delay } from 'node:timers/promises'
import type { CutoverEvent } from '../../src/index.js'
import type { FleetProcess } from './fleet-process.js'
import type { Told } from './words.js'

/** Of traffic before a move begins, and after it has ended. */
const REST_MILLIS = 400

export interface FleetPause {
  /** The last write acknowledged by the side that was left, to anyone, to the first by the other, to anyone. */
  readonly pauseMillis: number
  /** The longest call of all, from sending to answer, within the move and a little around it. */
  readonly longestMillis: number
  readonly writesASecond: number
  readonly failed: number
  readonly failure: string | undefined
  readonly steps: Readonly<Record<string, number>>
}

export interface Pauses {
  readonly taken: readonly FleetPause[]
  /** Why there are not as many as were to be: a fleet that is starved does not move, and that is a finding too. */
  readonly failure: string | undefined
}

/** From `shadow` to `live` and back, as often as that or until it fails; the first process coordinates. */
export async function pauses(
  processes: readonly FleetProcess[],
  count: number,
  note: (pause: FleetPause) => void,
): Promise<Pauses> {
  const taken: FleetPause[] = []
  try {
    while (taken.length < count) {
      const pause = await move(processes, taken.length % 2 === 0 ? 'live' : 'shadow')
      taken.push(pause)
      note(pause)
    }
    return { taken, failure: undefined }
  } catch (error) {
    return { taken, failure: error instanceof Error ? error.message : String(error) }
  }
}

async function move(processes: readonly FleetProcess[], to: 'live' | 'shadow'): Promise<FleetPause> {
  const [first] = processes
  if (!first) throw new Error('a fleet of nobody')
  await Promise.all(processes.map((one) => one.do('begin')))
  await delay(REST_MILLIS)
  const event = await first.advance(to)
  await delay(REST_MILLIS)
  return pauseOf(await Promise.all(processes.map((one) => one.tell())), event)
}

export function pauseOf(all: readonly Told[], event: CutoverEvent | undefined): FleetPause {
  if (event?.outcome !== 'done') throw new Error(`the writer was not changed: ${event?.reason}`)
  const [left, opened] = event.direction === 'old→new' ? (['old', 'new'] as const) : (['new', 'old'] as const)
  const last = Math.max(...all.map((one) => one[left].last ?? -Infinity))
  const first = Math.min(...all.map((one) => one[opened].first ?? Infinity))
  const seconds = Math.max(...all.map(({ millis }) => millis)) / 1000
  return {
    pauseMillis: first - last,
    longestMillis: Math.max(...all.map((one) => one.longestMillis)),
    writesASecond: all.reduce((sum, one) => sum + one.old.count + one.new.count, 0) / seconds,
    failed: all.reduce((sum, one) => sum + one.failed, 0),
    failure: all.find(({ failure }) => failure !== undefined)?.failure,
    steps: event.steps,
  }
}

/** What each step took in each move, by its name. */
export function stepsOf(all: readonly FleetPause[]): ReadonlyMap<string, readonly number[]> {
  const names = new Set(all.flatMap(({ steps }) => Object.keys(steps)))
  return new Map(
    [...names].map((name) => [
      name,
      all.flatMap(({ steps }) => {
        const millis = steps[name]
        return millis === undefined ? [] : [millis]
      }),
    ]),
  )
}
