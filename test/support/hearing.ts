// Listens to a source as a migration would, and lets a test wait for what it reports.
import type { Source, SourceReport } from '../../src/index.js'

export interface Hearing {
  readonly source: Source
  /** Everything that was reported so far. */
  readonly reports: readonly SourceReport[]
  /** To be given to `source.watch`. */
  readonly report: (report: SourceReport) => void
  /** Resolves at the first report, of those so far and of those to come, that fits. */
  until(fits: (report: SourceReport, index: number) => boolean): Promise<void>
}

export function hearing(source: Source): Hearing {
  const reports: SourceReport[] = []
  const waiters = new Set<() => void>()
  return {
    source,
    reports,
    report(report) {
      reports.push(report)
      for (const waiter of waiters) waiter()
    },
    until: (fits) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!reports.some(fits)) return
          waiters.delete(look)
          resolve()
        }
        waiters.add(look)
        look()
      }),
  }
}
