// One case: a move of the writer with a fault at one of its steps, then what everybody made of it, and whether it was right.
import { recover } from '../../src/coordinator/recover.js'
import type { Phase, Side } from '../../src/phase/phases.js'
import { inflict } from './chaos-faults.js'
import type { ChaosFleet } from './chaos-fleet.js'
import type { BankProcess } from './chaos-process.js'

export interface Case {
  readonly step: string
  readonly fault: string
}

export type Outcome = 'done' | 'aborted' | 'recovered forward' | 'recovered back' | 'not reached'

export interface Verdict extends Case {
  readonly direction: string
  readonly outcome: Outcome
  /** What the coordinator said at its end; its death says nothing. */
  readonly said: string
  readonly longestHoldMillis: number
  readonly wrong: readonly string[]
}

/** For the fault to be over, everybody to have found out, and servers that were killed to have read their logs. */
const AGREE_MILLIS = 20_000
const TRIES = 3
/** `open` tries that long. */
const OUTCOME_MILLIS = 45_000

/** A move that ends before the step, as by a lock that was not granted, is made again. */
export async function runCase(fleet: ChaosFleet, one: Case, random: () => number): Promise<Verdict> {
  for (let tries = 1; ; tries++) {
    const verdict = await move(fleet, one, random)
    if (verdict.outcome !== 'not reached' || verdict.wrong.length > 0 || tries === TRIES) return verdict
  }
}

async function move(fleet: ChaosFleet, { step, fault }: Case, random: () => number): Promise<Verdict> {
  const before = await fleet.writer()
  const from = before.side
  const target: Phase = from === 'old' ? 'live' : 'shadow'
  const members = fleet.places.map(({ process }) => process)
  fleet.longestHoldMillis = 0
  const leading = Math.floor(random() * members.length)
  const apart = random() < 0.4
  const coordinator = apart ? fleet.coordinator(target, step) : (members[leading] as BankProcess)
  const reached = coordinator.next('paused', OUTCOME_MILLIS)
  const outcome = coordinator.next('outcome', OUTCOME_MILLIS)
  if (!apart) coordinator.tell({ do: 'advance', to: target, pauseAt: step })

  let said = 'nothing'
  let inflicted = false
  const first = await Promise.race([reached, outcome])
  if (first?.e === 'paused') {
    inflicted = true
    await inflict(fault, {
      servers: fleet.pair,
      coordinator,
      member: members[
        (leading + 1 + Math.floor(random() * (members.length - 1))) % members.length
      ] as BankProcess,
      mirror: fleet.mirror,
      from,
      urls: fleet.urls,
      owner: fleet.owner,
      holdMillis: fleet.options.timings['holdTimeoutMillis'] ?? 5_000,
      random,
    })
  }
  const end = await outcome
  if (end) said = end.outcome
  else if (coordinator.alive) fleet.violations.push(`the coordinator did not end within ${OUTCOME_MILLIS} ms`)
  if (apart) await coordinator.kill()
  fleet.revive()
  const wrong = await verify(fleet, from)
  const after = await fleet.writer()
  return {
    step,
    fault,
    direction: `${from}→${from === 'old' ? 'new' : 'old'}${apart ? ' (apart)' : ''}`,
    outcome: inflicted ? outcomeOf(said, after.side !== from) : 'not reached',
    said: end?.reason === undefined ? said : `${said}: ${end.reason}`,
    longestHoldMillis: fleet.longestHoldMillis,
    wrong,
  }
}

function outcomeOf(said: string, moved: boolean): Outcome {
  if (said === 'done') return 'done'
  if (moved) return 'recovered forward'
  return said === 'nothing' ? 'recovered back' : 'aborted'
}

/** Everybody finds the writer alone; then `recover`, which ends what is left and finds nothing the second time. */
async function verify(fleet: ChaosFleet, from: Side): Promise<string[]> {
  const wrong: string[] = []
  const deadline = performance.now() + AGREE_MILLIS
  // What a coordinator left that nobody needs for its traffic, such as a fence that no member has met.
  let writer = await fleet.writer().catch(() => undefined)
  if (writer) wrong.push(...(await agree(fleet, AGREE_MILLIS)))
  let report = await recover(fleet.m)
  // On a machine with too much to do a server may take longer to answer than anybody waits.
  while (report.open.length > 0 && performance.now() < deadline) report = await recover(fleet.m)
  if (report.open.length > 0) wrong.push(`recover left open: ${report.open.join('; ')}`)
  const again = await recover(fleet.m)
  if (again.done.length > 0) wrong.push(`recover had more to do the second time: ${again.done.join('; ')}`)
  writer = await fleet.writer()
  if (again.writer !== writer.side || again.epoch !== writer.epoch)
    wrong.push(`recover says that ${again.writer} writes, and ${writer.side} does`)
  wrong.push(...(await agree(fleet, Math.max(8_000, deadline - performance.now()))))
  const most = (fleet.options.timings['holdTimeoutMillis'] ?? 5_000) + HOLD_MARGIN_MILLIS
  if (fleet.longestHoldMillis > most) wrong.push(`a hold lasted ${fleet.longestHoldMillis} ms`)
  wrong.push(...(await fleet.judgeNow(writer.side, false)))
  wrong.push(...fleet.violations.splice(0))
  return wrong.map((what) => `${what} (left: ${from})`)
}

/** For asking both sides, one of which may not answer, who writes. */
const HOLD_MARGIN_MILLIS = 5_500

async function agree(fleet: ChaosFleet, millis: number): Promise<string[]> {
  const { side, phase } = await fleet.writer()
  if (phase === undefined) return [`the row of ${side} says no phase`]
  return fleet.agreed(side, phase, millis)
}
