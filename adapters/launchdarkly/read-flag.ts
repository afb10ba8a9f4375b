// One evaluation of the flag, and what it means: a wish, or why there is none.
import type { Phase, SourceReport } from '../../src/index.js'
import { wishOf } from '../options.js'
import type { LaunchDarklyClient, LaunchDarklyContext, LaunchDarklyReason } from './client.js'
import { inTime, PATIENCE_MILLIS } from './in-time.js'

interface Question {
  readonly client: LaunchDarklyClient
  readonly flagKey: string
  readonly context: LaunchDarklyContext
  readonly phases: { readonly off: Phase; readonly on: Phase }
  /** Why the client has stopped listening for good, if it has said so. */
  readonly gaveUp: string | undefined
}

export interface Answer {
  readonly report: SourceReport
  /** The flag's own value; undefined where it has none. */
  readonly value?: unknown
}

/** Never rejects, and never takes the SDK's default for a wish. */
export async function readFlag({ client, flagKey, context, phases, gaveUp }: Question): Promise<Answer> {
  const flag = `flag "${flagKey}"`
  if (client.isOffline())
    return unavailable(
      `the LaunchDarkly client is offline, so ${flag} is not known; create it without "offline"`,
    )
  if (gaveUp !== undefined)
    return unavailable(
      `the LaunchDarkly client has given up (${gaveUp}), so changes of ${flag} are not heard; check the SDK key and restart`,
    )
  // A persistent store may hold values from before, which are a memory and not a wish.
  if (!client.initialized())
    return unavailable(`the LaunchDarkly client is not initialised, so ${flag} is not known; see its log`)
  try {
    const detail = await inTime(client.variationDetail(flagKey, context, null))
    if (detail === undefined)
      return unavailable(
        `${flag} was not evaluated within ${PATIENCE_MILLIS} ms; see why the client's store does not answer`,
      )
    const { value, reason } = detail
    if (reason.kind === 'ERROR') return unavailable(whyError(flag, reason))
    if (value === null || value === undefined)
      return unavailable(
        reason.kind === 'OFF'
          ? `${flag} is off and has no off variation; choose one, or turn the flag on`
          : `${flag} gave no value (${reason.kind}); serve one of its variations`,
      )
    return { report: { kind: 'value', value: wishOf(value, phases, 'JSON without "phase"') }, value }
  } catch (error) {
    return unavailable(`${flag} could not be evaluated: ${messageOf(error)}`)
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const unavailable = (reason: string): Answer => ({ report: { kind: 'unavailable', reason } })

function whyError(flag: string, { errorKind = 'no kind given' }: LaunchDarklyReason): string {
  if (errorKind === 'FLAG_NOT_FOUND')
    return `LaunchDarkly has no ${flag} in this environment; create it, or restore it if it was archived`
  if (errorKind === 'USER_NOT_SPECIFIED')
    return `${flag} could not be evaluated: LaunchDarkly refused the context; pass another as the option "context"`
  return `${flag} could not be evaluated (${errorKind})`
}
