// Writes docs/performance.md and its pictures from the stored reports alone, so that no figure is ever written by hand.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMet } from './outcome.js'
import { CHAPTERS, RUNS, runId, type Chapter, type Run } from './page/chapters.js'
import { FOLDER, readStored, storedPath, type Stored } from './page/stored.js'
import { limitsTable, outcomesTable, type Placed } from './page/table.js'
import { picture } from './picture.js'
import type { Part } from './report.js'

const PAGE = 'docs/performance.md'

/** Of a run, or undefined where it has not been measured. */
export type Read = (run: Run) => Stored | undefined

/** Each file by its path from the root. */
export function pageOf(read: Read): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  const machines = new Set(RUNS.flatMap((run) => read(run) ?? []).map(machineOf))
  const chapters = CHAPTERS.map((chapter) => chapterOf(chapter, read, machines.size > 1, files))
  const head = [HEAD, ...(machines.size === 1 ? [`Measured on ${[...machines].join('')}.`] : []), READING]
  return new Map([[PAGE, `${[...head, ...limits(read), ...chapters.flat()].join('\n\n')}\n`], ...files])
}

export function writePage(root: string): void {
  mkdirSync(join(root, FOLDER), { recursive: true })
  const files = pageOf((run) => readStored(root, run))
  for (const path of strangers(root, files)) rmSync(join(root, path))
  for (const [path, text] of files) writeFileSync(join(root, path), text)
}

/** The paths of files that are other than what the stored reports give, that are missing, or that nothing gives. */
export function checkPage(root: string): string[] {
  const files = pageOf((run) => readStored(root, run))
  const other = [...files].filter(([path, text]) => {
    const at = join(root, path)
    return !existsSync(at) || readFileSync(at, 'utf8') !== text
  })
  return [...other.map(([path]) => path), ...strangers(root, files)]
}

function strangers(root: string, files: ReadonlyMap<string, string>): string[] {
  const folder = join(root, FOLDER)
  const pictures = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.svg')) : []
  return pictures.map((name) => `${FOLDER}/${name}`).filter((path) => !files.has(path))
}

const HEAD = `<!-- Written by npm run bench -- page from the files in performance/. What is changed here by hand is lost. -->

# Performance`

const READING = `Absolute times on a machine that others share are noisy: read them as orders of magnitude, and run the commands on
your own. What is compared is measured in slices in turn, A B B A, so that a drift of the machine hits both alike.

- *measured* is the median, if its line does not say otherwise; × is the cost of the second for each of the first's.
- *95 of 100* is where that median would lie in 95 of 100 repetitions (by bootstrap, with the seed of the command).
- *middle half* is where the middle half of the samples lies.
- *against itself* is the same measured against itself in the same run: what one run can tell apart.
- *met* compares what was measured with the limit.`

function limits(read: Read): string[] {
  const placed = CHAPTERS.flatMap(({ title, runs }) =>
    runs.flatMap((run) =>
      (read(run)?.parts ?? []).flatMap(({ outcomes }) =>
        outcomes
          .filter((outcome) => isMet(outcome) !== undefined)
          .map((outcome): Placed => ({ where: `[${title}](#${anchor(title)})`, outcome })),
      ),
    ),
  )
  const missing = RUNS.filter((run) => read(run) === undefined)
  const quick = RUNS.filter((run) => read(run)?.quick)
  const met = placed.filter(({ outcome }) => isMet(outcome))
  return [
    '## Limits',
    ...(placed.length === 0 ? [] : [`${met.length} of ${placed.length} are met.`, limitsTable(placed)]),
    ...named('Not measured', missing),
    ...named('Measured in a quick run only, with a tenth of the samples', quick),
  ]
}

const named = (what: string, runs: readonly Run[]): string[] =>
  runs.length === 0 ? [] : [`**${what}:** ${runs.map((run) => `\`${runId(run)}\``).join(', ')}.`]

function chapterOf(
  { title, runs, missed }: Chapter,
  read: Read,
  tellMachine: boolean,
  files: Map<string, string>,
): string[] {
  const isMissed = runs.some((run) =>
    read(run)?.parts.some(({ outcomes }) => outcomes.some((outcome) => isMet(outcome) === false)),
  )
  return [
    `## ${title}`,
    ...(missed !== undefined && isMissed ? [`**Where a limit is missed:** ${missed}`] : []),
    ...runs.flatMap((run) => {
      const stored = read(run)
      if (stored === undefined) return [`\`npm run bench -- ${commandOf(run)}\`: not measured.`]
      return [
        ...stored.parts.flatMap((part, nr) => partOf(part, `${runId(run)}-${nr + 1}.svg`, files)),
        originOf(run, stored, tellMachine),
      ]
    }),
  ]
}

const commandOf = ({ name, stub }: Run): string => (stub ? `${name} --stub` : name)

function partOf(part: Part, file: string, files: Map<string, string>): string[] {
  const drawn = picture(part)
  if (drawn !== undefined) files.set(`${FOLDER}/${file}`, drawn)
  return [
    `### ${part.title}`,
    part.how.trim(),
    ...(drawn === undefined ? [] : [`![${part.picture?.title}](performance/${file})`]),
    ...(part.outcomes.length === 0 ? [] : [outcomesTable(part.outcomes)]),
    ...(part.notes ?? []).map((note) => note.trim()),
  ]
}

function originOf(run: Run, stored: Stored, tellMachine: boolean): string {
  const { command, commit, date, load, quick } = stored
  const facts = [
    `commit ${commit}`,
    date,
    `load average before ${load}`,
    ...(quick ? ['**a quick run**'] : []),
    ...(tellMachine ? [machineOf(stored)] : []),
  ]
  return `\`${command}\`: ${facts.join(', ')} ([figures](performance/${storedPath(run).slice(FOLDER.length + 1)}))`
}

function machineOf({ machine, versions }: Stored): string {
  const { processor, cores, memory, kernel } = machine
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return `${processor}, ${cores} cores, ${memory}, ${kernel}; ${names.join(', ')}`
}

/** Of a heading, as the places that show Markdown make it. */
const anchor = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
