// Gates for CI: ratios and counts of what must not become dearer, each with a limit that only a real regression reaches.
import { judge, RULE } from './check/gate-process.js'
import { GATE_NAMES } from './check/gates.js'
import { HEAD, line, type Outcome } from './outcome.js'
import type { Report } from './report.js'

export const HOW = `Each gate runs in a process of its own and takes samples until ${RULE.lead} more of them lie on one side of its limit than on the other: Wald's sequential test on signs. It fails where they lie above. What is undecided after ${RULE.boundMillis / 1_000} seconds lies so near its limit that nothing was shown; it passes, and says so.`

interface Checked extends Report {
  readonly gates: number
  readonly failed: number
}

/** Ends with 1 where a gate has failed. */
export async function check(judgeOne: typeof judge = judge): Promise<Checked> {
  const outcomes: Outcome[] = []
  const failed: string[] = []
  console.log(HEAD)
  for (const name of GATE_NAMES) {
    console.error(name)
    const { outcome, verdict } = await judgeOne(name)
    outcomes.push(outcome)
    console.log(line(outcome))
    if (verdict === 'over' || verdict === 'died') failed.push(name)
  }
  if (failed.length > 0) {
    console.error(`gates that failed: ${failed.join(', ')}`)
    process.exitCode = 1
  }
  return {
    parts: [{ title: 'Gates', how: HOW, outcomes }],
    gates: GATE_NAMES.length,
    failed: failed.length,
  }
}
