// Reads one flag of an OpenFeature client, and tells what the service says from what is only the caller's own default.
import { wishOf } from '../options.js'
import type { OpenFeatureClient, OpenFeatureContext, OpenFeatureDetails } from './client.js'
import type { CheckedOptions, FlagType } from './options.js'

/** What one look at the flag came to. */
export type FlagReading =
  | { readonly kind: 'value'; readonly value: string; readonly reason: string | undefined }
  | { readonly kind: 'unavailable'; readonly reason: string }

type Asked = OpenFeatureDetails & { readonly isDefault: boolean }

/** No flag says this, and it is no phase: where it should come back unnoticed it would still move nothing. */
const NO_VALUE = 'pg-cutover: the flag gave no value'

/** Which types are tried, by the type of the last answer. */
const TYPES_TO_TRY = {
  // An object before a boolean: some providers answer `true` for any flag that is switched on.
  unknown: ['string', 'object', 'boolean'],
  string: ['string', 'object'],
  object: ['object', 'string'],
  // Never the other way round: a flag of phases with a broken value must not become the `true` of such a provider.
  boolean: ['boolean', 'string', 'object'],
} as const satisfies Record<'unknown' | FlagType, readonly FlagType[]>

const ADVICE: Readonly<Record<string, string>> = {
  PROVIDER_NOT_READY: 'set a provider for this client and wait until it is ready',
  PROVIDER_FATAL: 'the provider has given up; look at its credentials, then set it again',
  FLAG_NOT_FOUND: 'create the flag, or correct its key',
  TYPE_MISMATCH: 'it must hold the name of a phase, an object with "phase", or from the start a boolean',
  TARGETING_KEY_MISSING: 'give the option `context` with what the provider needs',
  INVALID_CONTEXT: 'give the option `context` with what the provider accepts',
}

/** Such as the SDK's provider of providers, which makes a general error of each. */
const ADVICE_ON_TYPE = 'unless it is a string, name its type by the option `type`: not every provider tells'

/** In place of what an object says without a phase, since an object says nothing in a message. */
const NO_PHASE = 'an object without the name of a phase as "phase"'

const MOST_TEXT = 200

/** Makes the function that looks at the flag. It never rejects. */
export function flagReader(
  client: OpenFeatureClient,
  flagKey: string,
  { type, off, on }: Pick<CheckedOptions, 'type' | 'off' | 'on'>,
): (context: OpenFeatureContext) => Promise<FlagReading> {
  let known: 'unknown' | FlagType = 'unknown'

  const ask = {
    async string(context) {
      const details = await client.getStringDetails(flagKey, NO_VALUE, context)
      return { ...details, isDefault: details.value === NO_VALUE }
    },
    async object(context) {
      const details = await client.getObjectDetails(flagKey, { default: NO_VALUE }, context)
      // By content, since a provider may have copied it.
      return { ...details, isDefault: property(details.value, 'default') === NO_VALUE }
    },
    async boolean(context) {
      const details = await client.getBooleanDetails(flagKey, false, context)
      if (failed(details) || details.value !== false) return { ...details, isDefault: false }
      const opposite = await client.getBooleanDetails(flagKey, true, context)
      return { ...opposite, isDefault: opposite.value === true }
    },
  } satisfies Record<FlagType, (context: OpenFeatureContext) => Promise<Asked>>

  const unavailable = (
    what: string,
    { errorCode, errorMessage, reason }: OpenFeatureDetails,
  ): FlagReading => {
    const said = [errorCode ?? reason, errorMessage?.slice(0, MOST_TEXT)].filter(Boolean).join(': ')
    const untold = type === undefined && known === 'unknown'
    const advice = ADVICE[errorCode ?? ''] ?? (untold ? ADVICE_ON_TYPE : undefined)
    return {
      kind: 'unavailable',
      reason: `flag "${flagKey}" ${what}${said && ` (${said})`}${advice === undefined ? '' : `; ${advice}`}`,
    }
  }

  async function look(context: OpenFeatureContext): Promise<FlagReading> {
    const types = type === undefined ? TYPES_TO_TRY[known] : [type]
    for (const one of types) {
      const asked = await ask[one](context)
      if (isMismatch(asked, one)) continue
      if (failed(asked)) return unavailable('cannot be evaluated', asked)
      if (asked.isDefault || asked.value === null || asked.value === undefined)
        return unavailable('has no value of its own', asked)
      known = one
      return {
        kind: 'value',
        value: String(wishOf(asked.value, { off, on }, NO_PHASE)),
        reason: asked.reason,
      }
    }
    const before = known === 'unknown' ? '' : `was of type ${known} and now `
    return unavailable(`${before}is no ${types.join(' and no ')}`, {
      value: undefined,
      errorCode: 'TYPE_MISMATCH',
    })
  }

  return async (context) => {
    try {
      return await look(context)
    } catch (error) {
      const errorMessage = error instanceof Error ? error.message : String(error)
      return unavailable('cannot be evaluated', { value: undefined, errorMessage })
    }
  }
}

const failed = ({ errorCode, reason }: OpenFeatureDetails): boolean =>
  errorCode !== undefined || reason === 'ERROR'

function isMismatch(details: OpenFeatureDetails, type: FlagType): boolean {
  if (failed(details)) return details.errorCode === 'TYPE_MISMATCH'
  // Providers that do not look at the type give the value as it is.
  return details.value !== undefined && typeof details.value !== type
}

const property = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
