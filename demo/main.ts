// `npm run demo`: starts two real servers, moves the one into the other under load, and says what it cost.
import { writeFileSync } from 'node:fs'
import { Client } from 'pg'
import { startPair } from '../test/support/servers.js'
import type { Pair } from '../test/support/servers.js'
import { USAGE, UsageError, readArguments } from './arguments.js'
import type { Arguments } from './arguments.js'
import { page } from './report.js'
import { Run } from './run.js'
import { show } from './screen.js'
import { stages } from './stages.js'
import { summary } from './summary.js'
import { verdictOf } from './verdict.js'

const DATABASE = 'shop'
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
const BROKEN_PIPE = 141

async function main(argv: readonly string[]): Promise<number> {
  let wanted: Arguments
  try {
    wanted = readArguments(argv)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`${error.message}\n\n${USAGE}`)
    return 2
  }
  if (wanted.help) {
    console.log(USAGE)
    return 0
  }
  return demonstrate(wanted)
}

async function demonstrate(wanted: Arguments): Promise<number> {
  let pair: Pair | undefined
  let run: Run | undefined
  const clean = async (): Promise<void> => {
    try {
      await run?.end()
    } finally {
      await pair?.destroy()
    }
  }
  let left = false
  const leave = (code: number): void => {
    left = true
    silence()
    // The servers go first: what the application then says about it is of no interest to anybody.
    const end = (): void => process.exit(code)
    process.on('uncaughtException', () => undefined)
    void run?.mover?.close().catch(() => undefined)
    void Promise.resolve(pair?.destroy()).then(end, end)
  }
  const isLeft = (): boolean => left
  for (const signal of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[])
    process.once(signal, () => leave(SIGNALS[signal]))
  // Nobody reads on, as under `head`.
  process.stdout.once('error', () => leave(BROKEN_PIPE))

  const started = performance.now()
  pair = await startPair()
  const took = ((performance.now() - started) / 1000).toFixed(1)
  try {
    for (const server of [pair.old, pair.new]) await createDatabase(server.url())
    const urls = { old: pair.old.url(DATABASE), new: pair.new.url(DATABASE) }
    const names = { old: `Postgres ${pair.old.major}`, new: `Postgres ${pair.new.major}` }
    console.log(`Two real servers, ${names.old} and ${names.new}, started in ${took} s on this machine\n`)
    run = new Run(wanted, urls)
    let trouble: unknown
    try {
      await show(stages(wanted, names), run, process.stdout.isTTY)
    } catch (error) {
      trouble = error
    }
    if (isLeft()) return 1
    const verdict = verdictOf(run, trouble)
    console.log(summary(verdict))
    if (wanted.report) {
      writeFileSync(wanted.report, page(run, verdict))
      console.log(`  Report: ${wanted.report}`)
    }
    await clean()
    if (wanted.json) console.log(JSON.stringify(verdict))
    return verdict.ok ? 0 : 1
  } finally {
    await clean()
  }
}

/** Says why, gives the cursor back that the task list hides, and lets nothing more be printed. */
function silence(): void {
  if (process.stdout.isTTY) process.stdout.write('\u001b[?25h\n')
  process.stderr.write('Interrupted: stopping the servers and removing their folders\n')
  process.stdout.write = () => true
  process.stderr.write = () => true
}

async function createDatabase(url: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(`create database ${DATABASE}`)
  } finally {
    await client.end()
  }
}

process.exitCode = await main(process.argv.slice(2))
