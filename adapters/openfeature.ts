// A source that is a flag of any OpenFeature server provider: read at its events and by a slow poll, never per query.
import { AsyncResource } from 'node:async_hooks'
import type { Source, SourceReport } from '../src/index.js'
import type { OpenFeatureClient, OpenFeatureEventDetails } from './openfeature/client.js'
import { flagReader, type FlagReading } from './openfeature/flag-reader.js'
import { readOptions, type OpenFeatureOptions } from './openfeature/options.js'

export type {
  OpenFeatureClient,
  OpenFeatureContext,
  OpenFeatureDetails,
  OpenFeatureEventDetails,
} from './openfeature/client.js'
export type { FlagType, OpenFeatureOptions } from './openfeature/options.js'

/**
 * A source that follows a flag of an OpenFeature client, whatever its provider. The flag holds the name of a phase, a
 * LaunchDarkly stage or `hold` as a string, an object with one of them as `phase`, or a boolean (`false` for the phase
 * `off`, `true` for `on`).
 *
 * It is evaluated when the provider says that something has changed and every `pollMillis`, always for one fixed
 * context. What would only be the caller's default is never taken for a wish: a flag that is missing, disabled or of
 * another type and a provider that is missing, not ready or failing are reported as unavailable, and the last phase
 * stays. A provider that goes on answering from its memory while its service is gone, or after it was closed, cannot be
 * told from one that is well, unless it says that it is stale.
 *
 * The client and its provider stay yours: `close` removes what was added to them and closes neither. Never keeps a
 * process alive. Throws `ERR_OPTION`.
 */
export function openFeature(
  client: OpenFeatureClient,
  flagKey: string,
  options: OpenFeatureOptions = {},
): Source {
  const checked = readOptions(client, flagKey, options)
  const read = flagReader(client, flagKey, checked)
  let context = checked.context ?? {}
  let report: ((report: SourceReport) => void) | undefined
  let timer: NodeJS.Timeout | undefined
  let reading: Promise<void> | undefined
  let giveUp: (() => void) | undefined
  let changed = false
  let last = ''
  const standing = new Set<string>()

  function warn(code: string, message: string): void {
    if (standing.has(code)) return
    standing.add(code)
    report?.({ kind: 'warning', code, message })
  }

  function tell(found: FlagReading): void {
    const { kind, reason } = found
    if (kind === 'value' && reason === 'SPLIT')
      warn(
        'PERCENTAGE_ROLLOUT',
        `flag "${flagKey}" is rolled out by percentage; give one value to every context, or processes may differ`,
      )
    else standing.delete('PERCENTAGE_ROLLOUT')
    const key = `${kind} ${kind === 'value' ? found.value : reason}`
    if (key === last) return
    last = key
    report?.(kind === 'value' ? { kind, value: found.value } : found)
  }

  async function readInTime(): Promise<FlagReading> {
    const { timeoutMillis } = checked
    const late = new Promise<FlagReading>((resolve) => {
      const reason = `flag "${flagKey}" was not evaluated within ${timeoutMillis} ms`
      giveUp = () => resolve({ kind: 'unavailable', reason })
    })
    const deadline = setTimeout(() => giveUp?.(), timeoutMillis).unref()
    const found = await Promise.race([read(context), late])
    clearTimeout(deadline)
    return found
  }

  /** One look at a time; a change during one causes one more, so that the last value always wins. */
  function look(): Promise<void> {
    if (report === undefined) return Promise.resolve()
    changed = true
    reading ??= (async () => {
      try {
        do {
          changed = false
          tell(await readInTime())
        } while (changed)
      } finally {
        reading = undefined
      }
    })()
    return reading
  }

  // In the surroundings of this call: a change that is made inside a request must not lend us the request's context.
  const lookFromHere = AsyncResource.bind(look)

  const handlers: Readonly<Record<string, (details?: OpenFeatureEventDetails) => void>> = {
    PROVIDER_READY() {
      standing.delete('SOURCE_STALE')
      void lookFromHere()
    },
    PROVIDER_CONFIGURATION_CHANGED(details) {
      standing.delete('SOURCE_STALE')
      // An empty list is no news either: the SDK's own provider sends one when a flag was removed.
      const flags = details?.flagsChanged ?? []
      if (flags.length === 0 || flags.includes(flagKey)) void lookFromHere()
    },
    PROVIDER_STALE(details) {
      warn('SOURCE_STALE', staleMessage(flagKey, 'it may be out of date', details))
    },
    PROVIDER_ERROR(details) {
      warn('SOURCE_STALE', staleMessage(flagKey, 'it has an error', details))
      void lookFromHere()
    },
  }

  return {
    name: `OpenFeature flag ${flagKey}`,
    async watch(listener, { name }) {
      report = listener
      last = ''
      standing.clear()
      context = checked.context ?? { targetingKey: name, kind: 'migration' }
      timer ??= setInterval(() => void lookFromHere(), checked.pollMillis).unref()
      for (const [event, handler] of Object.entries(handlers)) client.addHandler(event, handler)
      // A provider that is ready has said so while the handlers were added.
      await (reading ?? lookFromHere())
    },
    close() {
      report = undefined
      changed = false
      clearInterval(timer)
      timer = undefined
      giveUp?.()
      for (const [event, handler] of Object.entries(handlers)) client.removeHandler(event, handler)
    },
  }
}

const staleMessage = (flagKey: string, what: string, details: OpenFeatureEventDetails | undefined): string =>
  `the provider of flag "${flagKey}" says that ${what}${details?.message === undefined ? '' : ` (${details.message.slice(0, 200)})`}; the last value is kept`
