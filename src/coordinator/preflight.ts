// Looks for everything that would make a migration fail or lose something, before anything is made; each finding has its fix.
import type { Migration } from '../control/migration.js'
import { patiently } from '../mirror/patient.js'
import { readSubscription, streamOf } from '../mirror/stream.js'
import { trySubscription } from '../mirror/subscription.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'
import { runChecks } from './preflight/checks.js'
import type { Finding, Stage } from './preflight/finding.js'
import { firstFinding, firstLook } from './preflight/first-look.js'
import { gather } from './preflight/gather.js'

export type { Finding, Stage } from './preflight/finding.js'

/**
 * Every finding at once, errors first. `from` is the side that writes. Nothing is made in either database, and neither a
 * finding nor an error ever holds a password.
 */
export async function preflight(m: Migration, from: Side, stage: Stage): Promise<Finding[]> {
  const first = await firstLook(m)
  if (first.length > 0) return first
  const found = runChecks(await gather(m, from, stage), stage)
  // Of one database, compared with itself, nothing else is worth saying.
  const same = found.filter(({ code }) => code === 'same-database')
  if (same.length > 0) return same
  const errors = found.filter(({ severity }) => severity === 'error')
  const warnings = found.filter(({ severity }) => severity === 'warning')
  if (errors.length === 0 && m.mirror === 'replication') errors.push(...(await subscriberFindings(m)))
  return [...errors, ...warnings]
}

/** Each server itself connects to the other, from another host and with another network than this process. */
async function subscriberFindings(m: Migration): Promise<Finding[]> {
  const found = await Promise.all([subscriberFinding(m, 'old'), subscriberFinding(m, 'new')])
  return found.flat()
}

async function subscriberFinding(m: Migration, from: Side): Promise<Finding[]> {
  const stream = streamOf(m, from)
  const side = otherSide(from)
  return patiently(stream.subscriber, m.timings.prepareTimeoutMillis, async ({ run }) => {
    if (await readSubscription(run, stream)) return []
    try {
      await trySubscription(run, stream)
      return []
    } catch (error) {
      return [
        firstFinding('subscriber-cannot-connect', {
          side,
          object: stream.publisher.address,
          message: error instanceof Error ? error.message : 'unknown',
          fix: `give an address, user and password with which the ${side} server itself reaches the ${from} one, and a line for it in pg_hba.conf of the ${from} server`,
        }),
      ]
    }
  })
}
