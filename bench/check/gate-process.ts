// Runs one gate in a process of its own, and tells what has come of it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { median, type Outcome } from '../outcome.js'
import type { Decision } from './decide.js'
import { GATES, type GateName } from './gates.js'

/** For whoever has nothing better: see {@link decide}. */
export const RULE = { lead: 10, boundMillis: 25_000 }

/** One that hangs has failed. */
const LONGEST_MILLIS = 120_000

export interface Judged {
  readonly outcome: Outcome
  readonly verdict: Decision['verdict'] | 'died'
}

/** As it is, or in one of its variants. */
export async function judge(name: GateName, variant?: string): Promise<Judged> {
  const gate = await GATES[name]()
  const script = join(import.meta.dirname, 'process.js')
  const args = [script, name, JSON.stringify(RULE), '', ...(variant === undefined ? [] : [variant])]
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: LONGEST_MILLIS,
  })
  const [printed, [status]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  const { samples, verdict }: Pick<Decision, 'samples'> & Pick<Judged, 'verdict'> =
    status === 0 ? (JSON.parse(printed) as Decision) : { samples: [], verdict: 'died' }
  const remark = {
    under: `${samples.length} samples`,
    over: `${samples.length} samples`,
    undecided: `undecided after ${samples.length} samples`,
    died: 'its process has failed',
  }[verdict]
  return { verdict, outcome: median(gate.what, gate.unit, samples, { most: gate.most, remark }) }
}
