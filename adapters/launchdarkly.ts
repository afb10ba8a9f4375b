// A source held in a LaunchDarkly flag: heard by the SDK's own events, read from its memory, never once per query.
import { CutoverError, type Source, type SourceReport } from '../src/index.js'
import { checkClient, type LaunchDarklyClient, type LaunchDarklyContext } from './launchdarkly/client.js'
import { migrationEvents } from './launchdarkly/migration-events.js'
import { readOptions, type LaunchDarklyOptions } from './launchdarkly/options.js'
import { messageOf, readFlag } from './launchdarkly/read-flag.js'
import { probeRollout } from './launchdarkly/rollout.js'

export type { LaunchDarklyClient, LaunchDarklyContext } from './launchdarkly/client.js'
export type { LaunchDarklyOptions } from './launchdarkly/options.js'

/**
 * A source that takes its wish from a LaunchDarkly flag. The client stays yours: it is never closed, and none of your
 * listeners is touched.
 *
 * The flag may be boolean (`false` asks for `old`, `true` for `new`, see the options), a string (a phase, a LaunchDarkly
 * stage or `hold`), JSON with one of these as `phase`, or a migration flag. It is evaluated for one fixed context, when
 * the client reports a change and every `pollMillis`.
 *
 * The SDK's default value is never a wish: while the client is offline, not initialised or refused by LaunchDarkly, and
 * while the flag is missing, archived or without a value, the source is unavailable and the last phase stays. An outage
 * of LaunchDarkly, and a client that was closed, cannot be noticed: the SDKs go on answering from their memory, so that
 * the last wish stays as well.
 *
 * After each change of the flag it is looked at for a percentage rollout, and a `warning` with the code
 * `PERCENTAGE_ROLLOUT` is given, at most once a minute. This evaluates all flags of the environment for some fifty made-up
 * contexts, one at a time, in at most a twentieth of the time of the process, and sends no analytics events. A rollout to
 * very few may be missed.
 *
 * For a migration flag, with a client that has `migrationVariation`, the source measures up to `samplesPerSecond` calls
 * for LaunchDarkly's charts. A string flag that has only ever had values that are stages cannot be told from a migration
 * flag and is measured as one; LaunchDarkly has no charts for it, and `samplesPerSecond: 0` saves the events.
 *
 * Throws `ERR_OPTION`. Never keeps a process alive.
 */
export function launchDarkly(
  client: LaunchDarklyClient,
  flagKey: string,
  options: LaunchDarklyOptions = {},
): Source {
  checkClient(client)
  if (typeof flagKey !== 'string' || flagKey === '')
    throw new CutoverError('ERR_OPTION', 'launchDarkly: the flag key is missing; expected a string')
  const { context: givenContext, off, on, pollMillis, samplesPerSecond } = readOptions(options)

  let report: ((report: SourceReport) => void) | undefined
  let context: LaunchDarklyContext
  let timer: NodeJS.Timeout | undefined
  let reading = false
  let due = false
  let changed = false
  let gaveUp: string | undefined
  let last: string | undefined

  const rollout = probeRollout(client, flagKey, (message) =>
    report?.({ kind: 'warning', code: 'PERCENTAGE_ROLLOUT', message }),
  )
  const measured = migrationEvents(client, flagKey, samplesPerSecond)

  /** One evaluation at a time; a change during one causes one more, so that the last value always wins. */
  async function read(): Promise<void> {
    due = true
    if (reading) return
    reading = true
    try {
      do {
        due = false
        const answer = await readFlag({ client, flagKey, context, phases: { off, on }, gaveUp })
        if (due) continue
        report?.(answer.report)
        await look(answer.value)
      } while (due)
    } finally {
      reading = false
    }
  }

  /** What hangs on the flag itself, and not on being asked once more. */
  async function look(value: unknown): Promise<void> {
    const text = JSON.stringify(value)
    if (report === undefined || (!changed && text === last)) return
    changed = false
    last = text
    if (value === undefined) rollout.stop()
    else rollout.start(context)
    await measured?.heard(value, context)
  }

  function hearChange(): void {
    gaveUp = undefined
    changed = true
    void read()
  }

  function hearFailure(error: unknown): void {
    // Also said of a message that is no JSON, after which the client goes on.
    if (!/JSON|payload/i.test(messageOf(error))) gaveUp = messageOf(error)
    void read()
  }

  // No listener for "error": with one, the SDKs would no longer write their errors to the log. Without one they do not throw.
  const listeners = [
    ['ready', hearChange],
    ['failed', hearFailure],
    [`update:${flagKey}`, hearChange],
  ] as const

  return {
    name: `LaunchDarkly flag ${flagKey}`,
    async watch(listener, migration) {
      report = listener
      context = givenContext ?? { kind: 'migration', key: migration.name }
      changed = true
      for (const [event, hear] of listeners) client.on(event, hear)
      timer = setInterval(() => void read(), pollMillis).unref()
      await read()
    },
    close() {
      report = undefined
      clearInterval(timer)
      for (const [event, hear] of listeners) client.off(event, hear)
      rollout.stop()
      measured?.stop()
    },
    sampler: measured?.sampler,
  }
}
