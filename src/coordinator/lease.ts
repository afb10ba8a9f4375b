// The end of a hold as its own process sees it: whoever holds finds out alone where the held work may go.
import { abort } from '../control/side-row.js'
import { openSide, settle } from './settle.js'
import type { Attempt } from './attempt.js'
import type { SideRow } from '../control/side-row.js'
import type { HoldLease } from '../pool/gate.js'

/** What a few round trips may take where a server is slow to answer; after it held work is given up as retryable. */
export const SETTLE_MILLIS = 3_000

export const holdLease = (a: Attempt): HoldLease => ({
  millis: a.m.timings.holdTimeoutMillis,
  reads: 'flow',
  ended: async () => {
    // From this turn on the coordinator sends nothing that could hit resumed traffic.
    a.over = true
    return (await settleAttempt(a, performance.now() + SETTLE_MILLIS)).side
  },
})

/** Aborts the attempt where its fence may stand or may still come, and says where the right to write is. */
export async function settleAttempt(a: Attempt, deadline: number, patienceMillis = 0): Promise<SideRow> {
  const { name } = a.m
  if (a.moved) {
    // Decided: the side that was left is not asked any more, it may be dead.
    await openSide(a.rescue[a.to], name, a.moved).catch(() => {})
    return settle({ name, from: a.to, connections: a.rescue, deadline, patienceMillis })
  }
  // First of all, since it waits for a fence under way, or uses the epoch up so that a later one finds no row.
  if (a.fence !== 'none') await abort(a.rescue[a.from], name, a.epoch).catch(() => {})
  return settle({
    name,
    from: a.from,
    connections: a.rescue,
    deadline,
    patienceMillis,
    useUp: a.fence === 'none' ? undefined : a.epoch,
  })
}
