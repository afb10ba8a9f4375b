// Carries what is known of each object of a schema to all that stand on it, through any number of views and functions.
import type { CatalogRows } from './catalog.js'
import { CUTS, MOVES, WRITES, type Flags } from './flags.js'
import type { Slices } from './slices.js'

const WORD = /[\p{L}_][\p{L}\p{N}_$]*(?:"?\s*\()?/gu

/** Words by which a body that was declared harmless gives up its declaration: what comes after them is made as it runs. */
const RUNS_ANYTHING: ReadonlySet<string> = new Set(['execute', 'notify', 'dblink', 'plpy', 'plv8'])
const MOVING_WORDS: ReadonlySet<string> = new Set([
  'current_date',
  'current_time',
  'current_timestamp',
  'localtime',
  'localtimestamp',
  'current_user',
  'current_role',
  'ctid',
  'tableoid',
  'tablesample',
])
const CUTTING_WORDS: ReadonlySet<string> = new Set(['limit', 'fetch', 'offset'])

/**
 * Flags by id. A function that is declared stable or immutable may call others that are not, which the server lets it do:
 * so the words of its body are looked at, whether they stand in a string or not.
 */
export async function spread(rows: CatalogRows, slices: Slices): Promise<ReadonlyMap<string, Flags>> {
  const flags = new Map<string, Flags>()
  const above = new Map<string, string[]>()
  for (const known of [rows.functions, rows.relations, rows.types, rows.operators])
    await slices.each<readonly [string, string, string, Flags, ...unknown[]]>(known, ([id, , , own]) =>
      flags.set(id, own),
    )
  await slices.each(rows.edges, ([upper, lower]) => stand(above, upper, lower))
  const builtIns = new Map<string, Flags>()
  await slices.each(rows.builtIns, ([, name, own]) => builtIns.set(name, (builtIns.get(name) ?? 0) | own))
  const byName = new Map<string, string[]>()
  for (const named of [rows.functions, rows.relations, rows.types])
    await slices.each<readonly [string, string, string, ...unknown[]]>(named, ([id, , name]) =>
      stand(byName, id, name.toLowerCase()),
    )
  await slices.each(rows.functions, ([id, , , own, body]) => {
    if (body === null) return
    let found = own
    for (const match of new Set(body.toLowerCase().match(WORD))) {
      const called = match.endsWith('(')
      const word = called ? match.replace(/"?\s*\($/, '') : match
      // A column may well be called `version`, as a function is.
      found |= wordFlags(word) | ((builtIns.get(word) ?? 0) & (called ? ~0 : WRITES))
      for (const lower of byName.get(word) ?? []) if (lower !== id) stand(above, id, lower)
    }
    flags.set(id, found)
  })
  await carry(flags, above, slices)
  return flags
}

function wordFlags(word: string): Flags {
  if (RUNS_ANYTHING.has(word) || word.startsWith('spi_')) return WRITES | MOVES
  return (MOVING_WORDS.has(word) ? MOVES : 0) | (CUTTING_WORDS.has(word) ? CUTS : 0)
}

function stand(above: Map<string, string[]>, upper: string, lower: string): void {
  const list = above.get(lower)
  if (list === undefined) above.set(lower, [upper])
  else list.push(upper)
}

async function carry(
  flags: Map<string, Flags>,
  above: ReadonlyMap<string, readonly string[]>,
  slices: Slices,
): Promise<void> {
  const changed = [...flags].flatMap(([id, own]) => (own === 0 ? [] : [id]))
  for (let id = changed.pop(); id !== undefined; id = changed.pop()) {
    if (slices.isOver) await slices.rest()
    const own = flags.get(id) ?? 0
    for (const upper of above.get(id) ?? []) {
      const before = flags.get(upper) ?? 0
      if ((before | own) === before) continue
      flags.set(upper, before | own)
      changed.push(upper)
    }
  }
}
