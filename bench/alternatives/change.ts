// A change of database under load: pg-cutover and PgBouncer in turn, without the data and with it, and what else has a switch.
import type { Pair } from '../../test/support/servers.js'
import { databases, ITEM, someItems, withClient, type Urls } from '../dual-write/ground.js'
import { median, type Outcome } from '../outcome.js'
import { quantile } from '../paired.js'
import { bouncer, cutoverAlone, cutoverWithData, ITEMS, staged, type Mover } from './movers.js'
import { movesOf, type Moved } from './moves.js'
import type { Seen } from './paced-writes.js'
import { imported, type Found } from './present.js'

/** Of what PgBouncer adds at the flip, in the same run. */
const MOST_OF_BOUNCER = 0.5

export interface Changed {
  /** Milliseconds of each way. */
  readonly times: readonly Outcome[]
  /** The one against the other, and what must not happen. */
  readonly verdicts: readonly Outcome[]
  readonly missing: readonly string[]
}

/** `data` moves the rows along and proves that none is missing; otherwise each side goes on with its own. */
export async function change(
  pair: Pair,
  program: Found<string>,
  data: boolean,
  quads: number,
  note: (line: string) => void,
): Promise<Changed> {
  const missing: string[] = []
  const movers: Record<string, Mover> = {}
  const grounds: Record<string, Urls> = {}
  const ground = async (name: string, database: string): Promise<Urls> =>
    (grounds[name] = await filled(pair, `${database}_${data ? 'data' : 'bare'}`, !data))
  try {
    movers[OURS] = await (data ? cutoverWithData : cutoverAlone)(await ground(OURS, 'cutover'))
    if ('here' in program) movers[THEIRS] = await bouncer(program.here, await ground(THEIRS, 'bouncer'), data)
    else missing.push(program.missing)
    if (!data) {
      const packages = ['@launchdarkly/node-server-sdk', 'launchdarkly-node-server-sdk']
      const found = await imported(STAGED, packages, () => import('./launchdarkly.js'))
      if ('here' in found) movers[STAGED] = await staged(found.here, await ground(STAGED, 'staged'))
      else missing.push(found.missing)
    }
    const moved = await movesOf(movers, quads, note)
    const lost: Record<string, number> = {}
    for (const [name, { acknowledged, at }] of Object.entries(moved))
      lost[name] = acknowledged - (await writesOf(grounds[name] as Urls, data ? [at] : ['old', 'new']))
    return { times: timesOf(moved), verdicts: verdictsOf(moved, lost, data), missing }
  } finally {
    for (const mover of Object.values(movers)) await mover.close()
  }
}

const OURS = 'pg-cutover'
const THEIRS = 'PgBouncer'
const STAGED = "LaunchDarkly's createMigration"

async function filled(pair: Pair, name: string, onBoth: boolean): Promise<Urls> {
  const rows = someItems(1, ITEMS)
  const urls = await databases(pair, name, ITEM, rows)
  if (onBoth) await withClient(urls.new, (client) => client.query(rows))
  return urls
}

/** How many writes these sides have, each of which has added one. */
async function writesOf(urls: Urls, sides: readonly ('old' | 'new')[]): Promise<number> {
  let sum = 0
  for (const side of sides)
    sum += await withClient(urls[side], async (client) => {
      const { rows } = await client.query<{ sum: string }>('select sum(n - id) as sum from item')
      return Number(rows[0]?.sum)
    })
  return sum
}

const tail = (values: readonly number[]): string =>
  `95 %: ${quantile(values, 0.95).toFixed(1)}, longest: ${Math.max(...values).toFixed(1)}`

function timesOf(moved: Readonly<Record<string, Moved>>): Outcome[] {
  return Object.entries(moved).flatMap(([name, { seen, unmoved }]) => {
    const of = (what: string, kind: keyof Omit<Seen, 'failure'>, same?: Partial<Outcome>): Outcome => {
      const values = seen.map((one) => one[kind])
      return median(`${name}, ${what}`, 'ms', values, { ...same, remark: tail(values) })
    }
    const most = unmoved.map(({ mostAddedMillis }) => mostAddedMillis)
    return [
      of('added at the flip', 'addedMillis'),
      of('added in the whole change', 'mostAddedMillis', against(most)),
      of('pause', 'pauseMillis'),
    ]
  })
}

/** What the same gives against itself; nothing where there is too little of it. */
function against(values: readonly number[]): Partial<Outcome> {
  if (values.length === 0) return {}
  const same = median('', '', values)
  return { same: same.measured, ...(same.interval && { sameInterval: same.interval }) }
}

export function verdictsOf(
  moved: Readonly<Record<string, Moved>>,
  lost: Readonly<Record<string, number>>,
  data: boolean,
): Outcome[] {
  const what = data ? 'with the data' : 'the switch alone'
  const outcomes: Outcome[] = []
  const [ours, theirs] = [moved[OURS], moved[THEIRS]]
  if (ours && theirs) {
    const compared = (
      told: string,
      kind: 'addedMillis' | 'mostAddedMillis',
      bound: Partial<Outcome> = {},
    ): Outcome => {
      const [mine, other] = [quadsOf(ours, kind), quadsOf(theirs, kind)]
      const ratios = mine.map((added, quad) => added / (other[quad] ?? Number.NaN))
      const name = `added ${told} by ${OURS} to that by ${THEIRS}, ${what}`
      return median(name, '×', ratios, { ...against(inPairs(mine)), ...bound })
    }
    outcomes.push(
      compared('at the flip', 'addedMillis', { most: MOST_OF_BOUNCER }),
      compared('in the whole change', 'mostAddedMillis'),
    )
  }
  for (const [name, { seen }] of Object.entries(moved)) {
    const sum = (of: (one: Seen) => number): number => seen.reduce((so, one) => so + of(one), 0)
    const limit = name === OURS ? { most: 0 } : {}
    const count = (told: string, value: number, remark?: string): Outcome => ({
      what: `${name}, ${what}: ${told}`,
      unit: 'writes',
      measured: value,
      ...limit,
      ...(remark !== undefined && { remark }),
    })
    const failure = seen.find((one) => one.failure !== undefined)?.failure
    outcomes.push(
      count(
        `failed, of ${sum(({ written }) => written)}`,
        sum(({ failed }) => failed),
        failure,
      ),
      count('acknowledged and not found', lost[name] ?? Number.NaN),
      count(
        'done by the one side after the first by the other',
        sum(({ crossed }) => crossed),
      ),
    )
  }
  return outcomes
}

/** The mean of the moves of each quad. */
const quadsOf = ({ seen }: Moved, kind: 'addedMillis' | 'mostAddedMillis'): number[] =>
  Array.from(
    { length: Math.floor(seen.length / 2) },
    (_, quad) => ((seen[2 * quad]?.[kind] ?? 0) + (seen[2 * quad + 1]?.[kind] ?? 0)) / 2,
  )

/** Each quad to the one before it. */
const inPairs = (quads: readonly number[]): number[] =>
  quads.slice(1).map((next, before) => next / (quads[before] ?? Number.NaN))
