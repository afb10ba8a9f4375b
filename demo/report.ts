// The page that `--report` writes: one file, nothing loaded from anywhere, readable by day and by night.
import { availableParallelism } from 'node:os'
import { latencyPicture } from './latency-picture.js'
import { count, escaped, ms, table } from './markup.js'
import { pausePicture } from './pause-picture.js'
import { MIRRORS } from './mirrors.js'
import { MOVERS } from './movers.js'
import type { Run } from './run.js'
import { STEPS } from './steps.js'
import type { Verdict } from './verdict.js'

export function page(run: Run, verdict: Verdict): string {
  const { from, to, cutovers, shadow } = verdict
  const slow = verdict.slowTransactionMillis
  const title = `Postgres ${from} → ${to} under load`
  const longest = Math.max(0, ...cutovers.map(({ pauseMillis }) => pauseMillis))
  const figures: [string, string, boolean][] = [
    ['acknowledged', count(verdict.acknowledged), true],
    ['found', count(verdict.found), verdict.found === verdict.acknowledged],
    ['lost', count(verdict.lost), verdict.lost === 0],
    ['duplicated', count(verdict.duplicated), verdict.duplicated === 0],
    ['failed queries', count(verdict.failedQueries), verdict.failedQueries === 0],
    ['longest pause', ms(longest), true],
  ]
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escaped(title)}</h1>
<p class="lead ${verdict.ok ? 'good' : 'bad'}">${
    verdict.ok
      ? `${cutovers.length} changes of the writing database, and no caller saw an error.`
      : verdict.complaints.map((complaint) => escaped(complaint)).join('<br>')
  }</p>
<ul class="figures">${figures
    .map(
      ([name, value, good]) =>
        `<li class="${good ? '' : 'bad'}"><b>${escaped(value)}</b><span>${escaped(name)}</span></li>`,
    )
    .join('')}</ul>
<h2>What writers waited</h2>
${latencyPicture(run)}
${cutovers.length > 0 ? pauses(run, verdict) : ''}
<h2>Latency</h2>
<div class="columns">${latencies('Writes', verdict.writeLatency)}${latencies('Reads', verdict.readLatency)}</div>
<h2>The moves</h2>
${table(
  [`Moved by ${MOVERS[verdict.source].what}`, 'phase reached after'],
  verdict.moves.map(({ request, phase, millis }) => [`${request}: ${phase}`, ms(millis)]),
)}
${verdict.processes.length > 1 ? ofProcesses(verdict) : ''}
<h2>The audit</h2>
${table(
  ['', ''],
  [
    ['Acknowledged writes, each with a number of its own', count(verdict.acknowledged)],
    [
      'Found exactly once: in both databases up to the last moment they were mirrored, then in the new one',
      count(verdict.found),
    ],
    ['Lost', count(verdict.lost)],
    ['Applied more than once', count(verdict.duplicated)],
    ['In a database though nobody was told so', count(verdict.unexpected)],
    ['Balances and stocks that differ from what the ledger makes them', count(verdict.wrongSums)],
    ['Acknowledged by a side that was not the writer', count(verdict.wrongSide)],
    ['Reads that missed a write acknowledged before them', count(verdict.staleReads)],
    ['Rows compared by content, while both sides stood still', count(verdict.rowsCompared)],
    ['Tables that differed', count(verdict.tablesDiffering)],
    [
      `Behind on the other side, by ${MIRRORS[verdict.mirror].what}: median, 99 %, longest`,
      [verdict.mirrorLag.p50, verdict.mirrorLag.p99, verdict.mirrorLag.max]
        .map((value) => ms(value))
        .join(', '),
    ],
    ...(verdict.relayed === undefined
      ? []
      : [
          ['Changes that the library wrote to the other side', count(verdict.relayed)],
          ['The most of them that were on record at a time', count(verdict.longestRecord ?? 0)],
        ]),
    ['Reads compared with the answer of the other side', count(shadow.compared)],
    ['Compared reads that differ for real', count(shadow.real)],
    [
      'Compared reads that differed by lag, or by order alone',
      `${count(shadow.lag)}, ${count(shadow.order)}`,
    ],
    ['The old database refuses writes in the end', verdict.oldRefusesWrites ? 'yes' : 'no'],
  ],
)}
${run.refusal === undefined ? '' : `<p class="note">What a forgotten program gets there: ${escaped(run.refusal)}</p>`}
<p class="note">${escaped(
    `${run.settings.processes > 1 ? `${run.settings.processes} processes with ` : ''}${run.settings.writers} writers at ${run.settings.rate} writes/s in all and ${run.settings.readers} readers; ${count(run.seed.total)} rows to begin with; ` +
      (slow === undefined ? '' : `a transaction of ${count(slow)} ms was open when each hold began; `) +
      `${Math.round(verdict.seconds)} s of traffic. Node ${process.version}, ${availableParallelism()} cores for the application and both servers together.`,
  )}</p>
</main>
</body>
</html>
`
}

function pauses(run: Run, { cutovers, slowTransactionMillis: slow }: Verdict): string {
  const steps = Object.keys(STEPS).filter((step) => cutovers.some((cutover) => step in cutover.steps))
  const rows = [
    ...steps.map((step) => [
      `${step}: ${STEPS[step]}`,
      ...cutovers.map((cutover) => (cutover.steps[step] === undefined ? '–' : ms(cutover.steps[step]))),
    ]),
    [
      'Pause: last write on the side left to first on the side opened',
      ...cutovers.map((c) => ms(c.pauseMillis)),
    ],
    ['Longest wait of a write', ...cutovers.map((c) => ms(c.longestHeldMillis))],
    ['Longest wait of a read', ...cutovers.map((c) => ms(c.longestReadHeldMillis))],
    [
      'Longest wait of a read-only transaction, which asks for a client of its own',
      ...cutovers.map((c) => ms(c.longestReadTransactionHeldMillis)),
    ],
    ['Reads that were sent and answered within the pause', ...cutovers.map((c) => count(c.readsMeanwhile))],
  ]
  const pictures = run.moves.map(
    (move, index) => `<h3>${index + 1}. ${escaped(move.direction)}</h3>${pausePicture(run, move)}`,
  )
  return `<h2>The pauses, call by call</h2>
<p class="legend"><span class="old">answered by the old side</span><span class="new">by the new side</span>
<span class="unasked">by the one or the other: it was not asked</span>
<span class="note">a row is a writer or a reader, a bar one call from its sending to its answer; 0 is the last write acknowledged by the side that was left; the first of several readers asks for a client of its own each time, which waits with the writers${slow === undefined ? '' : '; the last two rows of the writers are the transaction that is kept open and a write sent just after the hold'}</span></p>
${pictures.join('')}
<h2>The steps</h2>
${table(['', ...cutovers.map(({ direction }, index) => `${index + 1}. ${direction}`)], rows)}`
}

function ofProcesses({ processes }: Verdict): string {
  return `<h2>The processes</h2>
${table(
  ['process', 'writes', 'longest pause of its own', 'calls held', 'longest held'],
  processes.map((one, index) => [
    `${index}, pid ${one.pid ?? 'unknown'}`,
    count(one.acknowledged),
    ms(one.longestPauseMillis),
    count(one.heldCalls),
    ms(one.longestHeldMillis),
  ]),
)}`
}

function latencies(name: string, groups: Verdict['writeLatency']): string {
  return table(
    [name, 'median', '99 %', 'longest', 'calls'],
    Object.entries(groups).map(([group, { p50, p99, max, count: calls }]) => [
      group,
      ms(p50),
      ms(p99),
      ms(max),
      count(calls),
    ]),
  )
}

const STYLE = `
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2024; --soft: #667079; --line: #e3e6e9; --card: #f5f6f8;
  --old: #c2700a; --new: #2563d9; --good: #1a7f4b; --bad: #c62f3b; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e6e9ec; --soft: #98a2ab; --line: #2b3137;
  --card: #1d2226; --old: #f0a33c; --new: #6fa3ff; --good: #54c98a; --bad: #ff7b84; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, 'DejaVu Sans', sans-serif; }
main { max-width: 1060px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0; }
h2 { font-size: 19px; margin: 44px 0 10px; }
h3 { font-size: 15px; margin: 22px 0 2px; }
.lead { font-size: 17px; margin: 6px 0 20px; }
.good { color: var(--good); }
.bad, .bad b { color: var(--bad); }
.note { color: var(--soft); font-size: 13px; }
.figures { list-style: none; display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 10px; padding: 0; margin: 0; }
.figures li { background: var(--card); border-radius: 8px; padding: 12px 14px; }
.figures b { display: block; font-size: 24px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.figures span { color: var(--soft); font-size: 13px; }
svg { display: block; width: 100%; height: auto; font-size: 11px; }
svg text { fill: var(--soft); }
svg text.label { fill: var(--ink); font-weight: 600; }
svg text.on { fill: var(--paper); font-weight: 600; }
polyline { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
polyline.p50 { stroke: var(--ink); }
polyline.p99 { stroke: var(--soft); }
polyline.max { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 2 3; }
.grid { stroke: var(--line); }
.band { fill-opacity: 0.16; }
.band.to-old, .on-old { fill: var(--old); }
.band.to-new, .on-new { fill: var(--new); }
.on-unasked { fill: var(--soft); fill-opacity: 0.7; }
.aside { fill: var(--soft); fill-opacity: 0.1; }
.moment { stroke-width: 1.5; }
.moment.to-old { stroke: var(--old); }
.moment.to-new { stroke: var(--new); }
.step { fill: var(--ink); fill-opacity: 0.7; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 6px 0 0; font-size: 13px; }
.legend span:not(.note)::before { content: ''; display: inline-block; width: 18px; height: 0; margin-right: 6px;
  vertical-align: middle; border-top: 3px solid currentColor; }
.legend .p50 { color: var(--ink); }
.legend .p99 { color: var(--soft); }
.legend .max { color: var(--soft); }
.legend .max::before { border-top-style: dotted !important; }
.legend .old { color: var(--old); }
.legend .new { color: var(--new); }
.legend .unasked { color: var(--soft); }
.scroll { overflow-x: auto; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 0 32px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { color: var(--soft); font-weight: 600; font-size: 13px; }
th:first-child, td:first-child { text-align: left; white-space: normal; }
`
