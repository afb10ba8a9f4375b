// Proves the gates: clean runs pass, and each thing that is broken on purpose fails the gate that is there for it.
import { HOW } from '../check.js'
import { HEAD, line, type Outcome } from '../outcome.js'
import type { Report } from '../report.js'
import { judge } from './gate-process.js'
import { GATE_NAMES, GATES } from './gates.js'

const CLEAN_RUNS = 30
const QUICK_CLEAN_RUNS = 5

/** Ends with 1 where something else has come of it. */
export async function prove(quick: boolean): Promise<Report> {
  const runs = quick ? QUICK_CLEAN_RUNS : CLEAN_RUNS
  const parts = [await variantsOf(), await cleanRuns(runs)]
  const outcomes = parts.flatMap((part) => part.outcomes)
  if (outcomes.some(({ remark }) => remark?.startsWith(WRONG))) process.exitCode = 1
  return { parts }
}

const WRONG = 'WRONG'

async function variantsOf() {
  console.log(HEAD)
  const outcomes: Outcome[] = []
  for (const name of GATE_NAMES) {
    const gate = await GATES[name]()
    for (const [variant, expected] of Object.entries(gate.variants)) {
      const { outcome, verdict } = await judge(name, variant)
      const isRight = verdict === (expected === 'fails' ? 'over' : 'under')
      // What is to fail has its limit the other way round here, so that the table says whether it has.
      const { most: _most, ...rest } = outcome
      const bound = expected === 'fails' ? { least: gate.most } : { most: gate.most }
      const told: Outcome = {
        ...rest,
        ...bound,
        what: `${name}, ${variant}`,
        remark: `${isRight ? verdict : `${WRONG}: ${verdict}`}, ${outcome.remark}`,
      }
      outcomes.push(told)
      console.log(line(told))
    }
  }
  return { title: 'What is broken fails', how: HOW, outcomes }
}

async function cleanRuns(runs: number) {
  console.log(HEAD)
  const outcomes: Outcome[] = []
  for (const name of GATE_NAMES) {
    const verdicts: string[] = []
    for (let run = 0; run < runs; run++) {
      console.error(`${name}, clean run ${run + 1} of ${runs}`)
      verdicts.push((await judge(name)).verdict)
    }
    const passed = verdicts.filter((verdict) => verdict === 'under' || verdict === 'undecided').length
    const undecided = verdicts.filter((verdict) => verdict === 'undecided').length
    const told: Outcome = {
      what: `${name}, clean`,
      unit: `of ${runs} passed`,
      measured: passed,
      least: runs,
      remark: `${passed === runs ? '' : `${WRONG}: ${verdicts.join(' ')}; `}${undecided} undecided`,
    }
    outcomes.push(told)
    console.log(line(told))
  }
  return { title: 'What is sound passes', how: HOW, outcomes }
}
