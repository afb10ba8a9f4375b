// The part of an OpenFeature server client that is used here, written down so that no SDK has to be loaded for it.

/** What an evaluation came to. */
export interface OpenFeatureDetails {
  readonly value: unknown
  readonly reason?: string | undefined
  readonly errorCode?: string | undefined
  readonly errorMessage?: string | undefined
}

/** What a provider tells with an event. */
export interface OpenFeatureEventDetails {
  readonly flagsChanged?: readonly string[] | undefined
  readonly message?: string | undefined
}

export type OpenFeatureContext = Readonly<Record<string, unknown>>

/** A client of `@openfeature/server-sdk`, as `OpenFeature.getClient()` gives it. */
export interface OpenFeatureClient {
  getStringDetails(
    flagKey: string,
    defaultValue: string,
    context?: OpenFeatureContext,
  ): Promise<OpenFeatureDetails>
  getBooleanDetails(
    flagKey: string,
    defaultValue: boolean,
    context?: OpenFeatureContext,
  ): Promise<OpenFeatureDetails>
  getObjectDetails(
    flagKey: string,
    defaultValue: Readonly<Record<string, string>>,
    context?: OpenFeatureContext,
  ): Promise<OpenFeatureDetails>
  addHandler(event: string, handler: (details?: OpenFeatureEventDetails) => void): void
  removeHandler(event: string, handler: (details?: OpenFeatureEventDetails) => void): void
}
