// The source of plain code as a subject of the contract: it can neither be lost nor forget.
import { memorySource, type MemorySource, type Wish } from '../../../src/index.js'
import type { SourceSubject } from './subject.js'

export const memorySubject: SourceSubject = {
  name: 'memorySource',
  garbage: ['lvie', '', 7, true, null, { phase: 'live' }, undefined],
  noticesOutage: false,
  forgets: false,
  start({ silent } = {}) {
    const sources: MemorySource[] = []
    const another = (): MemorySource => {
      const made = silent ? memorySource() : memorySource('old')
      sources.push(made)
      return made
    }
    const say = (value: unknown): void => {
      for (const source of sources) source.set(value as Wish)
    }
    return Promise.resolve({
      source: another(),
      another,
      say,
      outage() {},
      back: say,
      forget() {},
      stop() {},
    })
  },
}
