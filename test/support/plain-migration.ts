// A migration with the defaults of the library, for whatever is not reached by way of a pool.
import { DEFAULT_DUAL_WRITE, DEFAULT_TIMINGS, type Migration } from '../../src/control/migration.js'
import { CutoverEvents } from '../../src/events.js'
import { noGate } from '../../src/pool/gate.js'

/** Without a mirror and without a fleet, of every table, unless `more` says otherwise. */
export const plainMigration = (
  name: string,
  control: Migration['control'],
  more: Partial<Migration> = {},
): Migration => ({
  name,
  control,
  reachedBy: { old: '', new: '' },
  tables: undefined,
  mirror: 'none',
  dualWrite: DEFAULT_DUAL_WRITE,
  members: 'fence-only',
  onDrainTimeout: 'abort',
  attempts: 1,
  timings: DEFAULT_TIMINGS,
  events: new CutoverEvents(),
  gate: noGate(() => 'old'),
  ...more,
})
