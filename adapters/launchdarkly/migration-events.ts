// Sends measured calls to LaunchDarkly, so that the charts of a migration flag show the real traffic.
import { PHASES, type SampledCall, type Sampler } from '../../src/index.js'
import type {
  LaunchDarklyClient,
  LaunchDarklyContext,
  LaunchDarklyMigrationEvent,
  LaunchDarklyTracker,
} from './client.js'
import { inTime } from './in-time.js'

export interface MigrationEvents {
  readonly sampler: Sampler
  /** The flag's value may have become another: begins to measure, goes on or ends. Never rejects. */
  heard(value: unknown, context: LaunchDarklyContext): Promise<void>
  stop(): void
}

const OTHER = { old: 'new', new: 'old' } as const
const STAGES: ReadonlySet<unknown> = new Set(Object.values(PHASES).map(({ stage }) => stage))

/** Undefined where the client knows no migrations, or nothing is to be measured. */
export function migrationEvents(
  client: LaunchDarklyClient,
  flagKey: string,
  perSecond: number,
): MigrationEvents | undefined {
  if (perSecond === 0 || !client.migrationVariation || !client.trackMigration) return undefined
  let current:
    | { readonly tracker: LaunchDarklyTracker; readonly event: LaunchDarklyMigrationEvent }
    | undefined
  /** A migration flag has the six stages and nothing else, so one other value tells a plain string flag for good. */
  let plain = false
  let turn = 0

  async function heard(value: unknown, context: LaunchDarklyContext): Promise<void> {
    const mine = ++turn
    current = undefined
    plain ||= value !== undefined && !STAGES.has(value)
    if (plain || value === undefined) return
    try {
      const asked = client.migrationVariation?.(flagKey, context, PHASES.old.stage)
      const result = asked && (await inTime(asked))
      if (mine === turn && result) current = template(result.tracker)
    } catch {
      // Measuring is an extra: without a tracker there are no charts, and the wish is followed all the same.
    }
  }

  function take(call: SampledCall): void {
    if (current === undefined) return
    try {
      client.trackMigration?.({
        ...current.event,
        operation: call.operation,
        creationDate: Date.now(),
        measurements: measurementsOf(call, current.tracker),
      })
    } catch {
      // A sample that cannot be sent is lost; the caller of the query must not hear of it.
    }
  }

  return {
    heard,
    stop() {
      turn++
      current = undefined
    },
    sampler: {
      perSecond,
      get active() {
        return current !== undefined
      },
      take,
    },
  }
}

/** Everything of an event that is the same for all calls of this value: the evaluation, the context, the sampling ratio. */
function template(
  tracker: LaunchDarklyTracker,
): { tracker: LaunchDarklyTracker; event: LaunchDarklyMigrationEvent } | undefined {
  tracker.op('read')
  // A consistency check counts only where both were asked.
  tracker.invoked('old')
  tracker.invoked('new')
  const event = tracker.createEvent()
  return event === undefined || event.evaluation.reason.kind === 'ERROR' ? undefined : { tracker, event }
}

function measurementsOf(call: SampledCall, tracker: LaunchDarklyTracker): object[] {
  const { side, millis, failed, consistent, otherMillis } = call
  const both = consistent !== undefined
  return [
    { key: 'invoked', values: both ? { old: true, new: true } : { [side]: true } },
    ...(both ? consistency(consistent, tracker) : []),
    {
      key: 'latency_ms',
      values: { [side]: millis, ...(otherMillis === undefined ? {} : { [OTHER[side]]: otherMillis }) },
    },
    ...(failed ? [{ key: 'error', values: { [side]: true } }] : []),
  ]
}

/** The tracker knows the flag's check ratio: it runs the check in that share of the calls, and says so in the measurement. */
function consistency(consistent: boolean, tracker: LaunchDarklyTracker): readonly object[] {
  let chosen = false
  tracker.consistency(() => {
    chosen = true
    return consistent
  })
  if (!chosen) return []
  const { measurements = [] } = tracker.createEvent() ?? {}
  return measurements.filter((one) => 'key' in one && one.key === 'consistent')
}
