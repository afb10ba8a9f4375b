// `npm run test:soak -- --minutes N`: the long runs of what `npm test` runs a short seed of, one after the other.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const USAGE = `Usage: npm run test:soak -- [--minutes N] [--cutovers N]
  --minutes   whole minutes in all, 3 to 1,440; default 15
  --cutovers  so many moves of the bank under chaos, however long they take, in place of half of the minutes`

interface Run {
  readonly name: string
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** Half of the time is for the bank, a sixth for dual-write under everything at once, a twelfth for each of the others. */
const runs = (seconds: number, cutovers: number | undefined): readonly Run[] => {
  const share = Math.floor(seconds / 12)
  const rivals = (mirror: string): Run => ({
    name: `rival coordinators, mirror ${mirror}, ${share} s`,
    command: ['vitest', 'run', 'test/fleet/rivals.test.ts'],
    env: { RIVALS_SECONDS: String(share), RIVALS_MIRROR: mirror },
  })
  return [
    {
      name: `a bank under chaos, ${cutovers === undefined ? `${6 * share} s` : `${cutovers} moves`}`,
      command: ['vitest', 'run', 'test/fleet/chaos.test.ts'],
      env:
        cutovers === undefined ? { CHAOS_SECONDS: String(6 * share) } : { CHAOS_CUTOVERS: String(cutovers) },
    },
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

interface Wanted {
  readonly minutes: number
  readonly cutovers: number | undefined
}

function wantedBy(argv: readonly string[]): Wanted | undefined {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: { minutes: { type: 'string', default: '15' }, cutovers: { type: 'string' } },
    })
    const minutes = Number(values.minutes)
    const cutovers = values.cutovers === undefined ? undefined : Number(values.cutovers)
    const known = isWhole(minutes, 3, 1_440) && (cutovers === undefined || isWhole(cutovers, 1, 100_000))
    return known ? { minutes, cutovers } : undefined
  } catch {
    return undefined
  }
}

const isWhole = (value: number, least: number, most: number): boolean =>
  Number.isSafeInteger(value) && value >= least && value <= most

const wanted = wantedBy(process.argv.slice(2))
if (wanted === undefined) {
  console.error(USAGE)
  process.exitCode = 2
} else {
  let failed = 0
  const all = runs(wanted.minutes * 60, wanted.cutovers)
  for (const { name, command, env } of all) {
    console.log(`\n== ${name}`)
    const { status } = spawnSync('npx', command, { stdio: 'inherit', env: { ...process.env, ...env } })
    if (status !== 0) failed++
  }
  console.log(`\n${all.length - failed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}
