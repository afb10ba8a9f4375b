// Makes of checked options what the coordinator knows a migration by, with control connections of its own.
import { controlConnection } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import type { CutoverEvents } from '../events.js'
import type { Side } from '../phase/phases.js'
import type { Gate } from '../pool/gate.js'
import type { ResolvedOptions } from './read-options.js'
import { controlConfig, poolRole, reachedBy } from './connections.js'

/** Opens nothing yet; whoever calls it closes both control connections. */
export function migrationOf(options: ResolvedOptions, events: CutoverEvents, gate: Gate): Migration {
  // Below the hold: a coordinator that stalls inside a transaction would keep its locks longer than callers wait.
  const statementTimeoutMillis = Math.max(500, Math.min(4_000, options.timings.holdTimeoutMillis * 0.8))
  const control = (side: Side) =>
    controlConnection({ side, config: controlConfig(options, side), statementTimeoutMillis })
  return {
    name: options.name,
    control: { old: control('old'), new: control('new') },
    reachedBy: { old: reachedBy(options, 'old'), new: reachedBy(options, 'new') },
    poolRoles: { old: poolRole(options, 'old'), new: poolRole(options, 'new') },
    tables: options.tables,
    mirror: options.mirror,
    dualWrite: options.dualWrite,
    members: options.members,
    onDrainTimeout: options.onDrainTimeout,
    attempts: options.attempts,
    timings: options.timings,
    events,
    gate,
  }
}
