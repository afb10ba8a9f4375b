// The last thing a person reads: what was acknowledged, what was found, and what it cost.
import { MIRRORS } from './mirrors.js'
import { MOVERS } from './movers.js'
import type { Verdict } from './verdict.js'

export function summary(verdict: Verdict): string {
  const { audited, acknowledged, found, lost, duplicated, failedQueries, shadow, warnings } = verdict
  if (!audited) return ['', ...warned(warnings), lastLine(verdict)].join('\n')
  const rows: [string, string][] = [
    ['Moved', `Postgres ${verdict.from} → ${verdict.to}, back, and there again, under load`],
    ['Moved by', MOVERS[verdict.source].what],
    ['Mirrored by', MIRRORS[verdict.mirror].what],
    ['Acknowledged writes', count(acknowledged)],
    ['  found', `${count(found)}   each exactly once, in every database that had to have it`],
    ['  lost', count(lost)],
    ['  duplicated', count(duplicated)],
    [
      'Failed queries',
      `${count(failedQueries)}   of ${count(acknowledged + verdict.reads)} writes and reads`,
    ],
    ['Stale reads', `${count(verdict.staleReads)}   a read that misses what was acknowledged before it`],
    ['Both sides compared', `${count(verdict.rowsCompared)} rows, ${verdict.tablesDiffering} tables differ`],
    ...mirrorRows(verdict),
    ['Reads compared', `${count(shadow.compared)}   with the answer of the other side; ${differing(shadow)}`],
    ['Old side refuses writes', verdict.oldRefusesWrites ? 'yes' : 'no'],
  ]
  return [
    '',
    ...rows.map(([name, value]) => `  ${name.padEnd(24)} ${value}`),
    '',
    ...table(
      ['Pause', 'last → first write', 'longest write', 'longest read', 'read transaction', 'reads meanwhile'],
      verdict.cutovers.map((cutover) => [
        cutover.direction,
        ...[
          cutover.pauseMillis,
          cutover.longestHeldMillis,
          cutover.longestReadHeldMillis,
          cutover.longestReadTransactionHeldMillis,
        ].map((value) => `${value.toFixed(1)} ms`),
        count(cutover.readsMeanwhile),
      ]),
    ),
    ...(verdict.slowTransactionMillis === undefined
      ? []
      : [`  A transaction of ${count(verdict.slowTransactionMillis)} ms was open when each hold began.`]),
    '',
    ...(verdict.processes.length > 1 ? ofProcesses(verdict) : []),
    ...table(
      ['Move', verdict.processes.length > 1 ? 'phase reached by all after' : 'phase reached after'],
      verdict.moves.map(({ request, phase, millis }) => [`${request}: ${phase}`, `${millis.toFixed(1)} ms`]),
    ),
    '',
    ...table(
      ['Latency of writes', 'median', '99 %', 'longest', 'writes'],
      Object.entries(verdict.writeLatency).map(([group, { p50, p99, max, count: writes }]) => [
        group,
        ...[p50, p99, max].map((value) => `${value.toFixed(1)} ms`),
        count(writes),
      ]),
    ),
    '',
    ...warned(warnings),
    lastLine(verdict),
  ].join('\n')
}

function ofProcesses({ processes, members, cutovers }: Verdict): string[] {
  return [
    ...table(
      ['Process', 'writes', 'longest pause of its own', 'calls held', 'longest held'],
      processes.map((one, index) => [
        `${index}, pid ${one.pid ?? 'unknown'}`,
        count(one.acknowledged),
        `${one.longestPauseMillis.toFixed(1)} ms`,
        count(one.heldCalls),
        `${one.longestHeldMillis.toFixed(1)} ms`,
      ]),
    ),
    `  The writer was changed by process ${cutovers.map(({ by }) => by).join(', then ')}.`,
    '',
    ...table(
      ['Member, as status has it', 'version', 'side', 'phase', 'epoch', 'in flight'],
      members.map(({ service, host, pid, version, side, phase, epoch, inFlight }) => [
        `${service} ${host}:${pid}`,
        version,
        side,
        phase,
        String(epoch),
        String(inFlight),
      ]),
    ),
    '',
  ]
}

function mirrorRows({ mirrorLag, relayed, longestRecord = 0 }: Verdict): [string, string][] {
  const { count: looked, p50, p99, max } = mirrorLag
  return [
    [
      'Other side behind by',
      `${p50.toFixed(1)} ms in the median, 99 % ${p99.toFixed(1)} ms, longest ${max.toFixed(1)} ms   of ${count(looked)} writes that were looked for there`,
    ],
    ...(relayed === undefined
      ? []
      : [
          ['Changes relayed', `${count(relayed)}   at most ${count(longestRecord)} on record at a time`] as [
            string,
            string,
          ],
        ]),
  ]
}

const differing = ({ real, lag, order }: Verdict['shadow']): string =>
  `${count(real)} differ for real, ${count(lag)} by lag, ${count(order)} by order`

/** Each once, though a change of writer may give the same again. */
const warned = (warnings: readonly string[]): string[] =>
  [...new Set(warnings)].map((text) => `  Warning: ${text}`)

function lastLine({ ok, complaints, acknowledged, cutovers, processes, seconds }: Verdict): string {
  if (!ok) return `  FAILED: ${complaints.join('\n  ')}`
  const longest = Math.max(...cutovers.map(({ pauseMillis }) => pauseMillis))
  return (
    `  OK: ${count(acknowledged)} writes${processes.length > 1 ? ` of ${processes.length} processes` : ''} in ${Math.round(seconds)} s over ${cutovers.length} changes of the writing database: ` +
    `0 lost, 0 duplicated, 0 failed; longest pause ${longest.toFixed(1)} ms`
  )
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => (row[column] ?? '').length)),
  )
  const line = (cells: readonly string[]): string =>
    `  ${cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(Math.max(widths[column] ?? 0, 24)) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')}`
  return [line(heads), ...rows.map((row) => line(row))]
}

const count = (value: number): string => value.toLocaleString('en')
