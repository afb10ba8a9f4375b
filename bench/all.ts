// Runs every benchmark that the page shows, one after the other, each in a process of its own so that none weighs on another.
import { spawnSync } from 'node:child_process'
import { RUNS, runId } from './page/chapters.js'

/** One that hangs must not keep the others from being measured. */
const LONGEST_MILLIS = 30 * 60_000

/** Starts a run with these arguments of the command, and tells whether it came to its end. */
type Start = (args: readonly string[], title: string) => boolean

const startHere: Start = (args, title) => {
  console.error(title)
  return (
    spawnSync(process.execPath, [process.argv[1] ?? '', ...args], {
      stdio: 'inherit',
      timeout: LONGEST_MILLIS,
    }).status === 0
  )
}

/** The names of those that failed. */
export function all(passedOn: readonly string[], start: Start = startHere): string[] {
  return RUNS.filter((run, nr) => {
    const args = [run.name, ...(run.stub ? ['--stub'] : []), ...passedOn]
    return !start(args, `${nr + 1} of ${RUNS.length}: ${runId(run)}`)
  }).map(runId)
}
