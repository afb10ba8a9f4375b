// A migration that reaches nobody, and how an adapter words what it refuses.
import { expect } from 'vitest'
import { createCutover, memorySource, type Cutover } from '../../src/index.js'

/** Nobody listens there, and nothing connects before it is used. */
export const NOWHERE = { old: 'postgres://u@127.0.0.1:1/a', new: 'postgres://u@127.0.0.1:2/a' } as const

export function cutoverOfNowhere(): Cutover {
  return createCutover({
    name: 'refusals',
    old: { connectionString: NOWHERE.old },
    new: { connectionString: NOWHERE.new },
    source: memorySource('old'),
    control: false,
    mirror: 'none',
  })
}

/** The refusal of an option, with a message that begins with such a pattern. */
export function refusal(beginning: string): unknown {
  return expect.objectContaining({
    code: 'ERR_OPTION',
    message: expect.stringMatching(new RegExp(`^${beginning}`)) as string,
  })
}
