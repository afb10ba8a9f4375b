// What a source brings along to be put through the contract that holds for all of them.
import type { Source } from '../../../src/index.js'

/** The name of the migration whose wish is watched. */
export const MIGRATION = 'orders'

/** A source with the real service behind it, which says `old` to begin with. */
export interface SourceRun {
  /** Not watched yet; what is made once per test. */
  readonly source: Source
  /** One more source that hears the same service, for the test to watch and to close. */
  another(): Source
  /** The service says this from now on. */
  say(value: unknown): Promise<void> | void
  /** The service cannot be reached any more, and standing connections to it are cut. */
  outage(): Promise<void> | void
  /** The service is back and says this; what it says while nobody can reach it. */
  back(value: unknown): Promise<void> | void
  /** What was made for the service is gone while the service is well: no flag, no row, no file. */
  forget(): Promise<void> | void
  /** How many listeners, handlers or connections the source has at the service now, where that can be counted. */
  held?(): Promise<number> | number
  /** Frees the service; after `source.close()`. */
  stop(): Promise<void> | void
}

export interface SourceSubject {
  readonly name: string
  /** What the service can be made to say that is no wish, each refused or reported as unavailable. */
  readonly garbage: readonly unknown[]
  /** False where an outage cannot be noticed, since what was heard last stays readable: LaunchDarkly's SDKs. */
  readonly noticesOutage: boolean
  /** False where nothing is made for the source that could go: code. */
  readonly forgets?: false
  /** `silent`: the service has never said anything. */
  start(options?: { readonly silent?: boolean }): Promise<SourceRun>
}
