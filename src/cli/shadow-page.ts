// The report of compared reads as one page of HTML that needs nothing else, for reading and for printing.
import type { Mismatch, StatementReport } from '../shadow/report.js'
import { counted } from './screen.js'
import { count, millis, skippedText, timesText } from './shadow-text.js'
import type { FleetReport } from './shadow-reports.js'

// The browser is told as well that nothing is to be fetched or run.
const HEAD = `<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2.5rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: 1rem 0 }
dt { opacity: .7 } dd { margin: 0 }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { padding: .3rem .6rem; text-align: right; vertical-align: top; border-bottom: 1px solid #8884; white-space: nowrap }
th[colspan] { text-align: center } th.what, td.what { text-align: left; white-space: normal; min-width: 18rem; width: 60% }
thead th { font-weight: 600; position: sticky; top: 0; background: Canvas }
code { font: .85em ui-monospace, monospace; overflow-wrap: anywhere }
.plan { opacity: .75; font-size: .85em }
.real { color: #c5221f; font-weight: 600 } .good { color: #188038; font-weight: 600 } .slower { color: #b06000 }
@media (prefers-color-scheme: dark) { .real { color: #f28b82 } .good { color: #81c995 } .slower { color: #fdd663 } }
@media print {
  :root { color-scheme: light; font-size: 9pt } body { margin: 0; max-width: none }
  .wide { overflow: visible } thead { display: table-header-group } thead th { position: static } tr { break-inside: avoid }
}
</style>`

/** At most `top` statements and differences. */
export function reportPage(report: FleetReport, top: number): string {
  const statements = report.statements.slice(0, top)
  const mismatches = report.mismatches.slice(0, top)
  const { equal, lag, order, real, unsettled } = report.outcomes
  const answers = [
    `${counted(order)} order`,
    `${counted(lag)} lag`,
    `${counted(unsettled)} unsettled`,
    `${counted(equal)} equal`,
  ].join(', ')
  return `<!doctype html>
<html lang="en">
<head>
<title>${escape(report.name)}: compared reads</title>
${HEAD}
</head>
<body>
<h1>Compared reads of ${escape(report.name)}</h1>
<dl>
<dt>compared</dt><dd>${count(report.compared, 'read')} of ${count(report.statements.length, 'statement')}, by ${count(report.processes, 'process')}</dd>
<dt>answers</dt><dd><span class="${real > 0 ? 'real' : 'good'}">${counted(real)} real</span>, ${answers}</dd>
<dt>skipped</dt><dd>${escape(skippedText(report))}</dd>
<dt>counted</dt><dd>from ${escape(report.since)} to ${escape(report.updated ?? '–')}</dd>
${report.unknown.map((reason) => `<dt>not known</dt><dd>${escape(reason)}</dd>\n`).join('')}</dl>
<h2>Statements</h2>
<div class="wide"><table>
<thead>
<tr><th rowspan="2" class="what">statement</th><th rowspan="2">compared</th><th rowspan="2">real</th><th rowspan="2">order</th><th rowspan="2">lag</th><th colspan="3">old, ms</th><th colspan="3">new, ms</th></tr>
<tr><th>p50</th><th>p95</th><th>p99</th><th>p50</th><th>p95</th><th>p99</th></tr>
</thead>
<tbody>
${statements.map(statementRow).join('\n')}
</tbody>
</table></div>
${left(report.statements.length - statements.length, 'statement')}
<h2>Differences</h2>
${mismatches.length === 0 ? '<p>None.</p>' : mismatchTable(mismatches)}
${left(report.mismatches.length - mismatches.length, 'difference')}
</body>
</html>
`
}

function statementRow({ fingerprint, text, compared, outcomes, ...rest }: StatementReport): string {
  const latencies = [rest.old, rest.new].flatMap(({ p50, p95, p99 }) => [p50, p95, p99].map(millis))
  const { real } = outcomes
  const cells = [
    counted(compared),
    real > 0 ? `<span class="real">${counted(real)}</span>` : '0',
    counted(outcomes.order),
    counted(outcomes.lag),
    ...latencies,
  ]
  const named = text === undefined ? '' : `<br><code>${escape(text)}</code>`
  return `<tr><td class="what"><code>${escape(fingerprint)}</code>${named}${planText(rest.planChange)}</td>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`
}

function planText(change: StatementReport['planChange']): string {
  if (change === undefined) return ''
  const { slowdown } = change
  const factor = slowdown === undefined ? '' : `, the new median is ${timesText(slowdown)} the old one`
  const heading = `<span class="${(slowdown ?? 0) > 1.5 ? 'slower' : 'plan'}">another plan${factor}</span>`
  return `<br>${heading}<div class="plan">old: <code>${escape(change.old)}</code><br>new: <code>${escape(change.new)}</code></div>`
}

function mismatchTable(mismatches: readonly Mismatch[]): string {
  const keys = (some: readonly string[]): string =>
    some.map((key) => `<code>${escape(key)}</code>`).join('<br>')
  const rows = mismatches.map(
    ({ outcome, fingerprint, at, detail, keys: { old, new: opened } }) =>
      `<tr><td class="what"><span class="${outcome === 'real' ? 'real' : 'plan'}">${outcome}</span> <code>${escape(fingerprint)}</code><br>${escape(detail)}</td><td>${escape(at)}</td><td>${keys(old)}</td><td>${keys(opened)}</td></tr>`,
  )
  return `<div class="wide"><table>
<thead><tr><th class="what">difference</th><th>at</th><th>rows of old alone</th><th>rows of new alone</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table></div>`
}

const left = (number: number, noun: string): string =>
  number > 0 ? `<p>and ${count(number, `more ${noun}`)}</p>` : ''

const SIGNS: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

const escape = (text: string): string => text.replace(/[&<>"']/g, (sign) => SIGNS[sign] ?? sign)
