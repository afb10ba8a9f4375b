// `pg-cutover set-aside`: names what the other side refuses, and does what an operator has decided about it.
import type { Migration } from '../control/migration.js'
import { readStuck, setAside, tryAgain, type StuckRow } from '../dual-write/stuck.js'
import { CutoverError } from '../errors.js'
import { otherSide, type Side } from '../phase/phases.js'
import { EXIT, type Outcome } from './outcome.js'
import type { Output } from './screen.js'
import { stuckLines, stuckName, stuckNames } from './stuck-text.js'
import { writingSide } from './writing-side.js'

export interface SetAsideFlags {
  readonly json?: true
  readonly table?: string
  readonly key?: string
  readonly again?: true
  readonly yes?: true
  readonly dryRun?: true
}

const ALL = 10_000

export async function setAsideCommand(m: Migration, flags: SetAsideFlags, output: Output): Promise<Outcome> {
  refuseTogether(m, flags)
  const from = await writingSide(m)
  const all = from === undefined ? [] : await readStuck(m.control[from].run, m.name, ALL)
  if (from === undefined || all.length === 0) return nothing(m, flags)
  if (flags.table === undefined && !flags.again) return list(m, from, all, output)
  const chosen = all.filter(
    (row) =>
      (flags.table === undefined || row.table === flags.table) &&
      (flags.key === undefined || row.key === flags.key) &&
      (flags.again || !row.setAside),
  )
  if (chosen.length > 0)
    return flags.again ? again(m, from, chosen, flags, output) : aside(m, from, chosen, flags, output)
  return nothing(m, flags)
}

function nothing({ name }: Migration, { table, key, again: isAgain }: SetAsideFlags): Outcome {
  const what = [table ?? '', key ?? ''].join(' ').trim()
  const isDone = table === undefined || isAgain === true
  return {
    exit: isDone ? EXIT.done : EXIT.refused,
    lines: [
      `Nothing${what === '' ? '' : ` of ${what}`} is stuck${isDone ? '' : ' that is not set aside already'}.`,
    ],
    json: { name, waiting: 0, setAside: 0, stuck: [], changed: [] },
  }
}

function list(m: Migration, from: Side, rows: readonly StuckRow[], { paint }: Output): Outcome {
  const to = otherSide(from)
  const waiting = rows.filter((row) => !row.setAside).length
  const summary = `${waiting} stuck, ${rows.length - waiting} set aside on the way from ${from} to ${to}`
  return {
    exit: waiting > 0 ? EXIT.refused : EXIT.done,
    lines: [
      waiting > 0 ? paint.bad(summary) : paint.good(summary),
      ...stuckLines(rows.map(jsonOf), to, paint),
      ...(waiting === 0
        ? []
        : [
            '',
            'It stays on record and is tried every few seconds; no change of writer begins meanwhile. Mend the reason,',
            'or do without it: pg-cutover set-aside --table <table> [--key <key>], after which the two sides differ there.',
          ]),
    ],
    json: { name: m.name, from, to, waiting, setAside: rows.length - waiting, stuck: rows.map(jsonOf) },
  }
}

async function aside(
  m: Migration,
  from: Side,
  rows: readonly StuckRow[],
  flags: SetAsideFlags,
  output: Output,
): Promise<Outcome> {
  const to = otherSide(from)
  const names = stuckNames(rows)
  const json = { name: m.name, from, to, chosen: rows.map(jsonOf) }
  if (flags.dryRun)
    return {
      exit: EXIT.done,
      lines: [
        'It would set aside, so that the two sides differ there:',
        ...rows.map((row) => `  - ${stuckName(row)}`),
      ],
      json: { ...json, dryRun: true },
    }
  const question = `Do without ${names} on the ${to} side? The two sides will differ there.`
  if (!flags.yes && !(await output.confirm(question)))
    return { exit: EXIT.refused, lines: ['Nothing was changed.'], json: { ...json, changed: [] } }
  const changed: StuckRow[] = []
  // One by one, so that what was refused since they were read, and nobody has seen, stays where it is.
  for (const row of rows)
    if ((await setAside(m.control[from].run, m.name, choiceOf(row))) > 0) changed.push(row)
  return {
    exit: EXIT.done,
    lines: [
      changed.length > 0
        ? output.paint.good(`set aside: ${stuckNames(changed)}`)
        : 'Nothing: none of it is stuck any more.',
      `The ${to} side differs from the ${from} one there. A later change of such a row is tried like any other; with`,
      '--again all of it is tried again.',
    ],
    json: { ...json, changed: changed.map(jsonOf) },
  }
}

async function again(
  m: Migration,
  from: Side,
  rows: readonly StuckRow[],
  flags: SetAsideFlags,
  { paint }: Output,
): Promise<Outcome> {
  const json = { name: m.name, from, to: otherSide(from), chosen: rows.map(jsonOf) }
  if (flags.dryRun)
    return {
      exit: EXIT.done,
      lines: ['It would have tried again:', ...rows.map((row) => `  - ${stuckName(row)}`)],
      json: { ...json, dryRun: true },
    }
  for (const row of rows) await tryAgain(m.control[from].run, m.name, choiceOf(row))
  return {
    exit: EXIT.done,
    lines: [
      paint.good(`tried again within a few seconds: ${stuckNames(rows)}`),
      'What is refused once more is stuck once more. A table that was set aside as a whole is copied anew.',
    ],
    json: { ...json, changed: rows.map(jsonOf) },
  }
}

const choiceOf = ({ oid, key }: StuckRow): { oid: number; key?: string } => ({
  oid,
  ...(key !== undefined && { key }),
})

const jsonOf = ({ table, key, sqlstate, message, since, setAside: isAside }: StuckRow) => ({
  table,
  key,
  sqlstate,
  message,
  since: since.toISOString(),
  setAside: isAside,
})

function refuseTogether(m: Migration, flags: SetAsideFlags): void {
  const refuse = (message: string): never => {
    throw new CutoverError('ERR_OPTION', message)
  }
  if (m.mirror !== 'dual-write')
    refuse('only a mirror by dual-write has something to set aside; pass --mirror dual-write')
  if (flags.key !== undefined && flags.table === undefined) refuse('--key belongs to --table')
  if (flags.table === undefined && !flags.again && (flags.yes || flags.dryRun))
    refuse('--yes and --dry-run belong to --table and --again')
}
