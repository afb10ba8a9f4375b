// The source of plain code as a subject of the contract: it can neither be lost nor forget.
import { memorySource, type Wish } from '../../../src/index.js'
import type { SourceSubject } from './subject.js'

export const memorySubject: SourceSubject = {
  name: 'memorySource',
  garbage: ['lvie', '', 7, true, null, { phase: 'live' }, undefined],
  noticesOutage: false,
  forgets: false,
  start({ silent } = {}) {
    const source = silent ? memorySource() : memorySource('old')
    const say = (value: unknown): void => source.set(value as Wish)
    return Promise.resolve({ source, say, outage() {}, back: say, forget() {}, stop() {} })
  },
}
