// One process of the demo's application as the library sees it: the pool, its phase, and what it says of itself.
import { createCutover } from '../src/index.js'
import type { Cutover, Source } from '../src/index.js'
import type { Side } from './ledger.js'
import type { MirrorName } from './mirrors.js'
import type { Tally } from './process-words.js'

const SHADOW_RATE = 0.1

export const MIGRATION = 'demo'

interface Application {
  readonly urls: Readonly<Record<Side, string>>
  /** Connections to each side. */
  readonly size: number
  readonly source: Source
  readonly autoAdvance: boolean
  readonly mirror: MirrorName
  /** How long a transaction is kept open when a hold begins, which all processes have to bear with. */
  readonly slow: number | undefined
  readonly warn: (message: string) => void
}

export function openApplication({
  urls,
  size,
  source,
  autoAdvance,
  mirror,
  slow,
  warn,
}: Application): Cutover {
  const pool = (connectionString: string) => ({ connectionString, max: size, application_name: 'shop' })
  const cutover = createCutover({
    name: MIGRATION,
    old: pool(urls.old),
    new: pool(urls.new),
    source,
    autoAdvance,
    mirror,
    control: true,
    // More than by default, so that the comparing of a minute comes to something.
    shadow: { rate: SHADOW_RATE },
    ...(slow !== undefined && { drainTimeoutMillis: slow + 2_500, holdTimeoutMillis: slow + 5_000 }),
  })
  cutover.on('warning', ({ message }) => warn(message))
  // Of an idle connection; a query that fails is told by itself.
  cutover.pool.on('error', ({ message }) => warn(message))
  return cutover
}

/** What a process can tell of itself at any time. */
export function tallyOf(cutover: Pick<Cutover, 'shadow' | 'status'>): Tally {
  const { compared, outcomes } = cutover.shadow.totals()
  const { real, lag, order, unsettled } = outcomes
  const { statements, mismatches } = cutover.shadow.report()
  const { calls, longestMillis } = cutover.status().held
  return {
    held: { calls, longestMillis },
    compared: { compared, real, lag, order, unsettled },
    real: mismatches
      .filter(({ outcome }) => outcome === 'real')
      .map(({ fingerprint, detail }) => {
        const text = statements.find((statement) => statement.fingerprint === fingerprint)?.text
        return `${text ?? fingerprint}: ${detail}`
      }),
  }
}
