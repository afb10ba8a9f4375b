// `npm run test:soak -- --minutes N`: the long runs of what `npm test` runs a short seed of, one after the other.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const USAGE = 'Usage: npm run test:soak -- [--minutes N]   N: whole minutes in all, 3 to 1,440; default 15'

interface Run {
  readonly name: string
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** A third of the time is for dual-write under everything at once, a sixth for each of the others. */
const runs = (seconds: number): readonly Run[] => {
  const share = Math.floor(seconds / 6)
  const rivals = (mirror: string): Run => ({
    name: `rival coordinators, mirror ${mirror}, ${share} s`,
    command: ['vitest', 'run', 'test/fleet/rivals.test.ts'],
    env: { RIVALS_SECONDS: String(share), RIVALS_MIRROR: mirror },
  })
  return [
    {
      name: `random work and failures by dual-write, ${2 * share} s`,
      command: ['vitest', 'run', 'test/fleet/dual-write.test.ts'],
      env: { DUAL_WRITE_SECONDS: String(2 * share) },
    },
    rivals('none'),
    rivals('replication'),
    rivals('dual-write'),
    {
      name: `the demo's moves and audit, ${share} s of traffic`,
      command: ['tsx', 'demo/main.ts', '--seconds', String(share)],
    },
  ]
}

function minutesOf(argv: readonly string[]): number | undefined {
  try {
    const { values } = parseArgs({ args: [...argv], options: { minutes: { type: 'string', default: '15' } } })
    const minutes = Number(values.minutes)
    return Number.isSafeInteger(minutes) && minutes >= 3 && minutes <= 1_440 ? minutes : undefined
  } catch {
    return undefined
  }
}

const minutes = minutesOf(process.argv.slice(2))
if (minutes === undefined) {
  console.error(USAGE)
  process.exitCode = 2
} else {
  let failed = 0
  const all = runs(minutes * 60)
  for (const { name, command, env } of all) {
    console.log(`\n== ${name}`)
    const { status } = spawnSync('npx', command, { stdio: 'inherit', env: { ...process.env, ...env } })
    if (status !== 0) failed++
  }
  console.log(`\n${all.length - failed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}
