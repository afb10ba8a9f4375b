// What a run has shown, as the object that `--json` prints and that the exit code follows from.
import { percentiles, rounded } from './latency.js'
import type { Percentiles, Sample } from './latency.js'
import { writesOnTheWrongSide } from './pause.js'
import type { Pause } from './pause.js'
import type { MirrorName } from './mirrors.js'
import type { MoverName } from './movers.js'
import { membersOf, processesOf } from './process-verdict.js'
import type { MemberVerdict, ProcessVerdict } from './process-verdict.js'
import type { Reached, Run, Span } from './run.js'
import { SLOW } from './writes.js'
import type { Outcome } from '../src/index.js'

export interface CutoverVerdict {
  readonly direction: 'old→new' | 'new→old'
  /** Last acknowledged write on the side left to the first on the side opened, by the callers' clocks. */
  readonly pauseMillis: number
  /** The longest that a caller waited for a write, or a read, which was under way during the pause. */
  readonly longestHeldMillis: number
  readonly longestReadHeldMillis: number
  /** A client of one's own is held whatever it is for; not among the reads above. */
  readonly longestReadTransactionHeldMillis: number
  /** Reads that were sent and answered while writes waited. */
  readonly readsMeanwhile: number
  readonly steps: Readonly<Record<string, number>>
  /** The process that has made it; the demo's own is 0. */
  readonly by: number
}

export interface Verdict {
  readonly ok: boolean
  /** Whether it came as far as the last audit; else nothing is known of what was found. */
  readonly audited: boolean
  readonly from: string
  readonly to: string
  /** How long a transaction was open when each hold began, if one was. */
  readonly slowTransactionMillis: number | undefined
  /** What moved it. */
  readonly source: MoverName
  readonly processes: readonly ProcessVerdict[]
  readonly members: readonly MemberVerdict[]
  /** What kept the other side equal. */
  readonly mirror: MirrorName
  /** From an acknowledged write to the look that saw it on the other side, of a sample over all of the run. */
  readonly mirrorLag: Percentiles
  /** With dual-write: changes written to the other side, in both directions, and the most that were on record at a time. */
  readonly relayed: number | undefined
  readonly longestRecord: number | undefined
  readonly moves: readonly Omit<Reached, 'event'>[]
  readonly acknowledged: number
  readonly found: number
  readonly lost: number
  readonly duplicated: number
  /** Numbers in a database that no caller was told of. */
  readonly unexpected: number
  readonly wrongSums: number
  readonly wrongSide: number
  /** Writes, reads and reads that missed an acknowledged write. */
  readonly failedQueries: number
  readonly staleReads: number
  readonly reads: number
  readonly rowsCompared: number
  readonly tablesDiffering: number
  readonly oldRefusesWrites: boolean
  /** Sampled reads that were compared with the other side's answer, and those that differed, by the reason. */
  readonly shadow: Readonly<Record<'compared' | Exclude<Outcome, 'equal'>, number>>
  readonly cutovers: readonly CutoverVerdict[]
  readonly writeLatency: Readonly<Record<string, Percentiles>>
  readonly readLatency: Readonly<Record<string, Percentiles>>
  readonly seconds: number
  /** Everything that keeps `ok` from being true, in words. */
  readonly complaints: readonly string[]
  /** What the library warned of on the way. */
  readonly warnings: readonly string[]
}

const GROUPS = {
  before: 'before',
  'initial copy': 'initial copy',
  mirrored: 'mirrored',
  cutover: 'during cutovers',
  after: 'after',
} as const satisfies Record<Exclude<Span['what'], 'audit'>, string>

export function verdictOf(run: Run, trouble?: unknown): Verdict {
  const { ledger, checkpoint, final } = run
  const slow = run.settings.slowTransactionMillis
  const audits = [checkpoint?.old, checkpoint?.new, final].filter((audit) => audit !== undefined)
  const lost = new Set(audits.flatMap((audit) => audit.lost))
  const duplicated = new Set(audits.flatMap((audit) => audit.duplicated))
  const unexpected = new Set(audits.flatMap((audit) => audit.unexpected))
  const wrongSums = new Set(audits.flatMap((audit) => audit.wrongSums))
  const wrongSide = writesOnTheWrongSide(
    ledger,
    run.moves.map(({ opened, pause }) => ({ opened, at: pause.firstOpened })),
  )
  const acknowledged = ledger.entries.length
  const found = final ? acknowledged - new Set([...lost, ...duplicated]).size : 0
  const differing = checkpoint?.comparison.differing ?? []

  const complaints: string[] = []
  const complain = (count: number, what: string, examples: readonly unknown[] = []): void => {
    if (count > 0) complaints.push([`${count} ${what}`, ...examples.slice(0, 5).map(String)].join('\n    '))
  }
  if (trouble !== undefined) complaints.push(`it did not come to the end: ${messageOf(trouble)}`)
  else if (!final || !checkpoint) complaints.push('it did not come to the audit')
  complain(lost.size, 'acknowledged writes lost', numbered(run, lost))
  complain(duplicated.size, 'acknowledged writes applied more than once', numbered(run, duplicated))
  complain(unexpected.size, 'writes in a database that nobody was told of', [...unexpected])
  complain(wrongSums.size, 'sums that are not what the acknowledged writes make them', [...wrongSums])
  complain(wrongSide.length, 'writes acknowledged by a side that was not the writer')
  complain(differing.length, 'tables that differ between the two databases', differing)
  complain(
    ledger.failures.length,
    'failed queries',
    ledger.failures.map(({ what, error }) => `${what}: ${messageOf(error)}`),
  )
  for (const { direction, pause } of run.moves) complaints.push(...unmet(direction, pause, slow))
  const shadow = shadowOf(run)
  complain(
    shadow.real,
    'compared reads whose answers differ for real',
    run.crew.tallies.flatMap((tally) => tally?.real ?? []),
  )
  if (run.moves.length > 0 && run.members.length !== run.settings.processes)
    complaints.push(`${run.members.length} members of ${run.settings.processes} processes were in the roster`)
  if (final && run.refusal === undefined)
    complaints.push('the old database still accepts writes from outside')

  return {
    ok: complaints.length === 0,
    audited: final !== undefined,
    from: run.versions.old,
    to: run.versions.new,
    slowTransactionMillis: slow,
    source: run.settings.source,
    processes: processesOf(run),
    members: membersOf(run),
    mirror: run.settings.mirror,
    mirrorLag: lagOf(run),
    relayed: run.relayed,
    longestRecord: run.settings.mirror === 'dual-write' ? run.watch.longestRecord : undefined,
    moves: run.reached.map(({ request, phase, millis }) => ({ request, phase, millis: rounded(millis) })),
    acknowledged,
    found,
    lost: lost.size,
    duplicated: duplicated.size,
    unexpected: unexpected.size,
    wrongSums: wrongSums.size,
    wrongSide: wrongSide.length,
    failedQueries: ledger.failures.length,
    staleReads: ledger.stale,
    reads: ledger.reads.length,
    rowsCompared: checkpoint?.comparison.rows ?? 0,
    tablesDiffering: differing.length,
    oldRefusesWrites: run.refusal !== undefined,
    shadow,
    cutovers: run.moves.map(({ direction, pause, event, by }) => ({
      direction,
      by,
      pauseMillis: rounded(pause.pauseMillis),
      longestHeldMillis: rounded(pause.longestHeldMillis),
      longestReadHeldMillis: rounded(pause.longestReadHeldMillis),
      longestReadTransactionHeldMillis: rounded(pause.longestReadTransactionHeldMillis),
      readsMeanwhile: pause.readsMeanwhile,
      steps: Object.fromEntries(Object.entries(event.steps).map(([step, millis]) => [step, rounded(millis)])),
    })),
    writeLatency: grouped(
      run,
      ledger.entries.filter(({ kind }) => kind !== SLOW),
    ),
    readLatency: grouped(run, ledger.reads),
    seconds: rounded((run.spans.at(-1)?.to ?? 0) / 1000 - (run.spans[0]?.from ?? 0) / 1000),
    complaints,
    warnings: run.warnings,
  }
}

/** Below this what the servers and the machine take may be as long as the transaction itself. */
const TELLING_MILLIS = 200

/** What a transaction that was open when the hold began has not shown: writes wait for it, reads do not. */
export function unmet(
  direction: string,
  pause: Pick<Pause, 'longestHeldMillis' | 'longestReadHeldMillis'>,
  slow: number | undefined,
): string[] {
  if (slow === undefined) return []
  const { longestHeldMillis, longestReadHeldMillis } = pause
  const found: string[] = []
  if (longestHeldMillis <= slow)
    found.push(
      `${direction}: no write waited for the transaction of ${slow} ms (the longest ${longestHeldMillis.toFixed(1)} ms), though it was to be open when the hold began`,
    )
  if (slow >= TELLING_MILLIS && longestReadHeldMillis >= slow / 2)
    found.push(
      `${direction}: a read waited ${longestReadHeldMillis.toFixed(1)} ms while writes waited for a transaction of ${slow} ms, though reads are to wait for the last round trips only`,
    )
  return found
}

function lagOf({ watch }: Run): Percentiles {
  const { count, p50, p99, max } = percentiles(watch.lags)
  return { count, p50: rounded(p50), p99: rounded(p99), max: rounded(max) }
}

function shadowOf({ crew }: Run): Verdict['shadow'] {
  const sum = { compared: 0, real: 0, lag: 0, order: 0, unsettled: 0 }
  for (const tally of crew.tallies)
    if (tally) for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += tally.compared[key]
  return sum
}

/** A call belongs to the cutover that it met, else to the stretch in which it was answered. */
function grouped(run: Run, samples: readonly Sample[]): Record<string, Percentiles> {
  const cutovers = run.spans.filter(({ what }) => what === 'cutover')
  const met = new Set(
    samples.filter((sample) => cutovers.some(({ from, to }) => sample.sent < to && sample.acked >= from)),
  )
  const groups: Record<string, Percentiles> = {}
  for (const what of Object.keys(GROUPS) as (keyof typeof GROUPS)[]) {
    const spans = run.spans.filter((span) => span.what === what)
    const members =
      what === 'cutover'
        ? [...met]
        : samples.filter(
            (sample) =>
              !met.has(sample) && spans.some(({ from, to }) => sample.acked >= from && sample.acked < to),
          )
    const { count, p50, p99, max } = percentiles(members)
    if (count > 0) groups[GROUPS[what]] = { count, p50: rounded(p50), p99: rounded(p99), max: rounded(max) }
  }
  return groups
}

function numbered(run: Run, numbers: ReadonlySet<number>): string[] {
  return run.ledger.entries
    .filter(({ number }) => numbers.has(number))
    .map(({ number, kind, side }) => `number ${number}: ${kind}, acknowledged by the ${side} side`)
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : ''
  return `${error.message}${code}`
}
