// Finds out whether a flag is rolled out by percentage, by asking what neighbours of the migration's context would get.
import type { LaunchDarklyClient, LaunchDarklyContext, LaunchDarklyReason } from './client.js'

/** Of each kind. A rollout that gives one context in ten something else is seen in 93 of 100 cases. */
const NEIGHBOURS = 25

const PAUSE_MILLIS = 10

/** `allFlagsState` evaluates every flag of the environment: at most a twentieth of the time goes into it. */
const PAUSE_PER_MILLI = 20

const QUIET_MILLIS = 60_000

interface Outcome {
  readonly variation?: number
  readonly version?: number
  readonly reason?: LaunchDarklyReason
}

export interface RolloutProbe {
  /** Looks from the beginning; what was being looked at is out of date. */
  start(context: LaunchDarklyContext): void
  stop(): void
}

/**
 * Two contexts of one kind that get different variations for the same reason can only have been told apart by a
 * percentage: a target or a rule of its own would be another reason. `allFlagsState` sends no analytics events.
 */
export function probeRollout(
  client: LaunchDarklyClient,
  flagKey: string,
  warn: (message: string) => void,
): RolloutProbe {
  let timer: NodeJS.Timeout | undefined
  let run = 0
  let warnedAt = -Infinity

  async function ask(context: LaunchDarklyContext): Promise<Outcome | undefined> {
    const state = await client.allFlagsState(context, { withReasons: true })
    if (!state.valid) return undefined
    const { $flagsState: flags } = state.toJSON() as { $flagsState?: Readonly<Record<string, Outcome>> }
    return flags?.[flagKey]
  }

  function start(context: LaunchDarklyContext): void {
    stop()
    if (performance.now() - warnedAt < QUIET_MILLIS) return
    const mine = ++run
    const left = questions(context)
    let first: { readonly kind: string; readonly outcome: Outcome } | undefined

    async function step(): Promise<void> {
      const next = left.next()
      if (next.done) return
      const began = performance.now()
      const outcome = await ask(next.value.context)
      if (mine !== run || outcome === undefined) return
      const { kind } = next.value
      if (first?.kind !== kind) first = { kind, outcome }
      else if (isSplit(first.outcome, outcome)) {
        warnedAt = performance.now()
        warn(
          `flag "${flagKey}" is rolled out by percentage: contexts of kind "${kind}" get different variations. ` +
            'A database moves as a whole; serve one variation to everybody',
        )
        return
      }
      later(Math.max(PAUSE_MILLIS, (performance.now() - began) * PAUSE_PER_MILLI))
    }

    function later(millis: number): void {
      // A probe that fails is given up: it is there to warn, and the flag itself is read by other means.
      timer = setTimeout(() => void step().catch(stop), millis).unref()
    }
    later(PAUSE_MILLIS)
  }

  function stop(): void {
    run++
    clearTimeout(timer)
  }

  return { start, stop }
}

/** LaunchDarkly rolls out by `user` unless told otherwise, whatever kind of context asks. */
function* questions(context: LaunchDarklyContext): Generator<{ kind: string; context: LaunchDarklyContext }> {
  const { kind = 'user', key } = context
  yield { kind, context }
  for (let n = 1; n <= NEIGHBOURS; n++) yield { kind, context: { ...context, key: `${key}-${n}` } }
  if (kind === 'user') return
  for (let n = 0; n <= NEIGHBOURS; n++) yield { kind: 'user', context: { kind: 'user', key: `${key}-${n}` } }
}

/** Different versions are two states of the flag, of which a change will tell. */
function isSplit(a: Outcome, b: Outcome): boolean {
  return (
    a.variation !== b.variation &&
    a.version === b.version &&
    a.reason !== undefined &&
    a.reason.kind === b.reason?.kind &&
    a.reason.ruleIndex === b.reason.ruleIndex &&
    a.reason.ruleId === b.reason.ruleId
  )
}
