// A source driven by plain code: the simplest way to wish for a phase, and the one tests use.
import type { Wish } from './phases.js'
import type { Source, SourceReport } from './source.js'

/** A source whose value is set by calling {@link MemorySource.set}. */
export interface MemorySource extends Source {
  /** Wishes for this phase from now on. Anything that is no phase is reported, and refused, like any garbage. */
  set(wish: Wish): void
}

/** Makes a source held in memory. Without an initial value it is silent until `set` is called. */
export function memorySource(initial?: Wish): MemorySource {
  let value: unknown = initial
  let report: ((report: SourceReport) => void) | undefined
  return {
    name: 'memory',
    set(wish) {
      value = wish
      report?.({ kind: 'value', value })
    },
    watch(listener) {
      report = listener
      if (value !== undefined) listener({ kind: 'value', value })
    },
    close() {
      report = undefined
    },
  }
}
