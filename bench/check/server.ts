// Gate of a query through the facade at rest against a real server: the CPU time of this process, in the raw pool's.
import pg from 'pg'
import { createCutover, memorySource } from '../../src/index.js'
import { loadStatements } from '../../src/reads/statements.js'
import { startPair } from '../../test/support/servers.js'
import { chosen, type Gate } from './gate.js'
import { inQuads } from './quads.js'

const CALLERS = 16
const MAX = 10
const QUERIES_IN_A_SLICE = 300
const TEXT = 'select $1::int as n'

type Ask = (pool: pg.Pool, call: number) => Promise<unknown>
type Variant = () => Promise<Ask>

const ask: Ask = (pool, call) => pool.query(TEXT, [call])

const VARIANTS: Readonly<Record<string, Variant>> = {
  plain: async () => (pool, call) => ask(pool, call),
  parsed: async () => {
    const statements = await loadStatements()
    return (pool, call) => {
      statements.fingerprint(TEXT)
      return ask(pool, call)
    }
  },
  // A health check that somebody found reassuring.
  asked: async () => async (pool, call) => {
    await pool.query('select 1')
    return ask(pool, call)
  },
}

/** Microseconds of CPU a slice. */
async function cpuOf(asked: Ask, pool: pg.Pool): Promise<number> {
  let left = QUERIES_IN_A_SLICE
  const caller = async (): Promise<void> => {
    while (left-- > 0) await asked(pool, left)
  }
  const before = process.cpuUsage()
  await Promise.all(Array.from({ length: CALLERS }, caller))
  const { user, system } = process.cpuUsage(before)
  return user + system
}

export const server: Gate = {
  what: "CPU time of a query through the facade, in the raw pool's, against a real server",
  unit: '×',
  most: 1.4,
  warmUp: 3,
  variants: { plain: 'passes', parsed: 'fails', asked: 'fails' },
  open: async (variant, url) => {
    const asked = await chosen<Variant>(VARIANTS, variant, async () => ask)()
    const pair = url === undefined ? await startPair() : undefined
    const config = { connectionString: url ?? pair?.old.url(), max: MAX }
    const raw = new pg.Pool(config)
    const cutover = createCutover({
      name: 'check',
      old: config,
      // Not in use, so never connected to.
      new: { ...config },
      source: memorySource('old'),
      control: false,
    })
    await cutover.ready()
    return {
      sample: inQuads(
        () => cpuOf(ask, raw),
        () => cpuOf(asked, cutover.pool),
      ),
      close: async () => {
        await Promise.allSettled([cutover.end(), raw.end()])
        await pair?.destroy()
      },
    }
  },
}
