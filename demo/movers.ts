// What takes the demo from phase to phase: calls of the library, or nothing but flips of a flag.
import { memorySource } from '../src/index.js'
import type { Cutover, CutoverEvent, Phase, Source } from '../src/index.js'

export interface Mover {
  readonly source: Source
  readonly autoAdvance: boolean
  /** What it begins with, for the reader of the story. */
  readonly opening: readonly string[]
  /** What it does to get from one phase to another, in a few words. */
  request(from: Phase | undefined, to: Phase): string
  /** Resolves when everything about the move is done; rejects with the reason why it was not. */
  move(cutover: Cutover, to: Phase): Promise<CutoverEvent | undefined>
  /** What there is to say of it when the story has ended. */
  closing(): Promise<readonly string[]>
  /** After the migration was ended. */
  close(): Promise<void>
}

interface Kind {
  readonly what: string
  open(): Promise<Mover>
}

export const MOVERS = {
  memory: { what: 'calls of advance and rollback', open: () => Promise.resolve(callingMover()) },
  launchdarkly: {
    what: 'nothing but flips of a flag, heard by the real SDK from a flag service inside',
    open: async () => (await import('./flag-mover.js')).openFlagMover(),
  },
} as const satisfies Record<string, Kind>

export type MoverName = keyof typeof MOVERS

function callingMover(): Mover {
  const isBack = (from: Phase | undefined, to: Phase): boolean =>
    to === 'shadow' && (from === 'live' || from === 'rampdown')
  return {
    source: memorySource('old'),
    autoAdvance: false,
    opening: [],
    request: (from, to) => (isBack(from, to) ? 'rollback()' : `advance("${to}")`),
    move: (cutover, to) => (isBack(cutover.phase, to) ? cutover.rollback() : cutover.advance(to)),
    closing: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  }
}
