// A bank of many processes, whose writer is moved to and fro while something is broken at each step: nothing may come of it.
import { mkdirSync, writeFileSync } from 'node:fs'
import { expect, inject, it } from 'vitest'
import { runCase } from './chaos-case.js'
import type { Case, Verdict } from './chaos-case.js'
import { startFleet } from './chaos-fleet.js'
import { casesOf, inSomeOrder, tableOf } from './chaos-table.js'
import { seededRandom } from '../support/seeded-random.js'

const number = (name: string): number | undefined =>
  process.env[name] === undefined ? undefined : Number(process.env[name])
const SECONDS = number('CHAOS_SECONDS')
const CUTOVERS = number('CHAOS_CUTOVERS')
/** Chosen ones, as `step:fault;step:fault`. */
const CASES = process.env['CHAOS_CASES']
const IS_SOAK = SECONDS !== undefined || CUTOVERS !== undefined || CASES !== undefined
const MEMBERS = number('CHAOS_MEMBERS') ?? (IS_SOAK ? 24 : 8)
const SEED = number('CHAOS_SEED') ?? Date.now() % 1_000_000
const FRESH = process.env['CHAOS_FRESH'] !== '0'

/** In place of the table, in a run that has only seconds: what is over soon. Some of them, by the seed. */
const SHORT: readonly Case[] = [
  { step: 'stop-reads', fault: 'kill the coordinator' },
  { step: 'fence', fault: 'kill a member' },
  { step: 'open', fault: 'kill the coordinator' },
  { step: 'decide', fault: 'cut coordinator–OLD' },
  { step: 'catch-up', fault: 'kill NEW' },
  { step: 'hold', fault: 'stop a member past the lease' },
]

/** No case is begun after it. */
const SHORT_SECONDS = 6

const TIMINGS = {
  prepareTimeoutMillis: 10_000,
  holdTimeoutMillis: 4_000,
  drainTimeoutMillis: 1_000,
  fenceTimeoutMillis: 800,
  catchUpTimeoutMillis: 1_200,
  // A member that does not answer is waited out for the two seconds of its confirmation.
  stopReadsTimeoutMillis: 2_600,
  decideTimeoutMillis: 800,
  reverseTimeoutMillis: 8_000,
}

it(
  `${MEMBERS} processes, seed ${SEED}: at most one side writes, nothing is lost or done twice, and everybody goes on`,
  async () => {
    const fleet = await startFleet({
      members: MEMBERS,
      seed: SEED,
      seeds: inject('seeds'),
      // Many processes share one machine with both servers: what all do together is what two processors can do.
      pauseMillis: IS_SOAK ? MEMBERS * 6 : 120,
      probeMillis: IS_SOAK ? 10 : 40,
      readMillis: IS_SOAK ? MEMBERS * 3 : 0,
      timings: TIMINGS,
      fresh: FRESH,
    })
    const verdicts: Verdict[] = []
    try {
      const until = performance.now() + (SECONDS ?? (IS_SOAK ? Infinity : SHORT_SECONDS)) * 1_000
      const only = CASES?.split(';').map((one) => {
        const [step = '', fault = ''] = one.split(':')
        return { step, fault }
      })
      const cases = (only ?? (IS_SOAK ? casesOf(SEED) : inSomeOrder(SHORT, SEED)))[Symbol.iterator]()
      for (let count = 0; count < (CUTOVERS ?? Infinity) && performance.now() < until; count++) {
        const next = cases.next()
        if (next.done === true) break
        const began = performance.now()
        const seed = SEED * 7_919 + count
        const verdict = { seed, ...(await runCase(fleet, next.value, seededRandom(seed))) }
        verdicts.push(verdict)
        keep(verdicts, fleet.errors)
        console.log(
          `${count + 1}. ${verdict.step}: ${verdict.fault}, ${verdict.direction}: ${verdict.outcome} (${verdict.said.slice(0, 200)}), ` +
            `longest hold ${verdict.longestHoldMillis} ms, ${Math.round(performance.now() - began)} ms` +
            verdict.wrong.map((what) => `\n   VIOLATION ${what}`).join(''),
        )
      }
      await fleet.rest()
      const { side } = await fleet.writer()
      const wrong = [
        ...(await fleet.judgeNow(side, true)),
        ...(await fleet.equalAtLast(side)),
        ...fleet.violations,
      ]
      report(verdicts, fleet.errors)
      expect(verdicts.flatMap((verdict) => verdict.wrong)).toEqual([])
      expect(wrong).toEqual([])
      // Else nothing was tried.
      const missed = verdicts.filter(({ outcome }) => outcome === 'not reached').length
      expect(missed).toBeLessThanOrEqual(verdicts.length / 3)
    } finally {
      await fleet.destroy()
    }
  },
  IS_SOAK ? 24 * 3_600_000 : 240_000,
)

function report(verdicts: readonly Verdict[], errors: ReadonlyMap<string, number>): void {
  console.log(`seed ${SEED}, ${verdicts.length} moves of ${MEMBERS} processes\n${tableOf(verdicts)}`)
  console.log(
    `errors to try again: ${[...errors].map(([code, count]) => `${code} ${count}`).join(', ') || 'none'}`,
  )
}

// After each, so that a run which is ended is not for nothing.
function keep(verdicts: readonly Verdict[], errors: ReadonlyMap<string, number>): void {
  if (!IS_SOAK) return
  mkdirSync('.results', { recursive: true })
  writeFileSync(
    '.results/chaos.json',
    JSON.stringify(
      { seed: SEED, members: MEMBERS, verdicts, errors: Object.fromEntries(errors) },
      undefined,
      1,
    ),
  )
}
