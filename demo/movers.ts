// What takes the demo from phase to phase: calls of the library, or nothing but changes of a flag that every process hears.
import { memorySource } from '../src/index.js'
import type { Cutover, CutoverEvent, Phase, Source } from '../src/index.js'

/** How a further process of the application hears what the first one hears. */
export type Flag =
  | { readonly kind: 'none' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'launchdarkly'; readonly uris: Readonly<Record<FlagUri, string>> }

type FlagUri = 'baseUri' | 'streamUri' | 'eventsUri'

/** One process's ear. */
export interface Ear {
  readonly source: Source
  readonly autoAdvance: boolean
  /** After the migration was ended. */
  close(): Promise<void>
}

export interface Mover extends Ear {
  readonly flag: Flag
  /** What it begins with, for the reader of the story. */
  readonly opening: readonly string[]
  /** What it does to get from one phase to another, in a few words. */
  request(from: Phase | undefined, to: Phase): string
  /**
   * Resolves when everything about the move is done in this process; rejects with the reason why it was not. Gives the event
   * of the cutover if this process has made it.
   */
  move(cutover: Cutover, to: Phase): Promise<CutoverEvent | undefined>
  /** What there is to say of it when the story has ended. */
  closing(): Promise<readonly string[]>
}

interface Kind {
  readonly what: string
  open(): Promise<Mover>
}

export const MOVERS = {
  memory: { what: 'calls of advance and rollback', open: () => Promise.resolve(callingMover()) },
  file: {
    what: 'nothing but changes of a file that every process watches',
    open: async () => (await import('./file-mover.js')).openFileMover(),
  },
  launchdarkly: {
    what: 'nothing but flips of a flag, heard by the real SDK from a flag service inside',
    open: async () => (await import('./flag-mover.js')).openFlagMover(),
  },
} as const satisfies Record<string, Kind>

export type MoverName = keyof typeof MOVERS

/** In a further process. */
export async function hear(flag: Flag): Promise<Ear> {
  if (flag.kind === 'file') return (await import('./file-mover.js')).hearFile(flag.path)
  if (flag.kind === 'launchdarkly') return (await import('./flag-mover.js')).hearFlag(flag.uris)
  return { source: memorySource(), autoAdvance: false, close: () => Promise.resolve() }
}

function callingMover(): Mover {
  const isBack = (from: Phase | undefined, to: Phase): boolean =>
    to === 'shadow' && (from === 'live' || from === 'rampdown')
  return {
    source: memorySource('old'),
    autoAdvance: false,
    flag: { kind: 'none' },
    opening: [],
    request: (from, to) => (isBack(from, to) ? 'rollback()' : `advance("${to}")`),
    move: (cutover, to) => (isBack(cutover.phase, to) ? cutover.rollback() : cutover.advance(to)),
    closing: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  }
}
