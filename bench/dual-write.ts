// What a mirror by dual-write costs and how fast it is: capture, relay, backfill, lag, and waiting until both sides have it.
import { startPair } from '../test/support/servers.js'
import { awaiting } from './dual-write/awaiting.js'
import { capture } from './dual-write/capture.js'
import { backfill, carrying } from './dual-write/carrying.js'
import { lag } from './dual-write/lag.js'
import { HEAD, isMet, line, type Outcome } from './outcome.js'
import { wake } from './dual-write/wake.js'

const PARTS = { capture, carrying, backfill, lag, awaiting, wake } as const

/** `only` names one part, for whoever works on it. */
export async function dualWrite(quick: boolean) {
  const only = process.env['BENCH_PART']
  const outcomes: Outcome[] = []
  console.log(HEAD)
  for (const [name, part] of Object.entries(PARTS)) {
    if (only !== undefined && !only.split(',').includes(name)) continue
    const pair = await startPair({ settings: { shared_buffers: '256MB', max_wal_size: '4GB' } })
    try {
      for (const outcome of await part(pair, quick)) {
        outcomes.push(outcome)
        console.log(line(outcome))
      }
    } finally {
      await pair.destroy()
    }
  }
  return { outcomes: outcomes.map((outcome) => ({ ...outcome, met: isMet(outcome) })) }
}
