// What a member says of its own process: who it is, and how much of it is at work.
import { createRequire } from 'node:module'
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Phase, Side } from '../phase/phases.js'
import type { InnerClient } from '../pool/pg-internals.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { MemberIdentity, MemberState } from './words.js'

/** `service`: `application_name` of the pools, if they have one. */
export const memberIdentity = (service: string | undefined): MemberIdentity => ({
  member: randomUUID(),
  host: hostname(),
  pid: process.pid,
  service: service ?? '',
  version: version(),
})

function version(): string {
  try {
    const manifest: unknown = createRequire(import.meta.url)('pg-cutover/package.json')
    return (manifest as { version: string }).version
  } catch {
    // Bundled into one file with the application.
    return 'unknown'
  }
}

interface Lease {
  /** Of pg-pool, one more each time that the client comes back. */
  readonly uses: number
  readonly since: number
}

/** Looks at the pools when it is asked, so that no call pays for it. */
export class WorkMeter {
  readonly #core: PoolCore
  #leases = new Map<InnerClient, Lease>()

  constructor(core: PoolCore) {
    this.#core = core
  }

  /** The age of what is under way is counted from the first look that has seen it. */
  measure(phase: Phase, epoch: number): MemberState {
    const side = this.#core.side
    const oldest = this.#look(side)
    return {
      side,
      phase,
      epoch,
      inFlight: this.#core.pools[side].inFlight,
      oldestMillis: oldest,
      backends: this.#core.backends(side),
    }
  }

  #look(side: Side): number | undefined {
    const now = performance.now()
    const leases = new Map<InnerClient, Lease>()
    let oldest: number | undefined
    for (const client of this.#core.pools[side].leased()) {
      const uses = (client as { _poolUseCount?: number })._poolUseCount ?? 0
      const known = this.#leases.get(client)
      const lease = known?.uses === uses ? known : { uses, since: now }
      leases.set(client, lease)
      oldest = Math.max(oldest ?? 0, now - lease.since)
    }
    this.#leases = leases
    return oldest
  }
}
