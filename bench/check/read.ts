// Gate of knowing that a text which was seen before only reads, against an entry of a Map by that text.
import { CATALOG } from '../../src/reads/catalog-query.js'
import { loadStatements, type Statements } from '../../src/reads/statements.js'
import { chosen, type Gate } from './gate.js'
import { cpuOf, inQuads } from './quads.js'

const BATCH = 1_000
const COLUMNS = ['status', 'placed', 'price', 'currency']
// Several in turn, as the statements of a service come.
const TEXTS = COLUMNS.map(
  (column) => `select id, ${column} from public.orders where ${column} is not null order by id limit 20`,
)

/** What the server of a database says that has this table alone. */
const CATALOG_PARTS = Object.entries({
  fingerprint: 'check',
  standardStrings: 'on',
  builtIns: [],
  relations: [['1', 'public', 'orders', 0]],
  systemRelations: [],
  systemTypes: [],
  systemOperators: [],
}).map(([list, part]) => ({ list, part: JSON.stringify(part) }))

type Ask = (statements: Statements, text: string) => boolean

const ask: Ask = (statements, text) => statements.isRead(text, 'old')

const VARIANTS: Readonly<Record<string, Ask>> = {
  plain: (statements, text) => ask(statements, text),
  // A string that nobody has seen before has to be hashed first.
  anew: (statements, text) => ask(statements, `${text} `.trimEnd()),
  parsed: (statements, text) => statements.fingerprint(text) !== undefined && ask(statements, text),
}

const inTurn = (isRead: (text: string) => boolean): (() => Promise<number>) =>
  cpuOf(() => {
    let reads = 0
    for (let call = 0; call < BATCH; call++) if (isRead(TEXTS[call % TEXTS.length] ?? '')) reads++
    if (reads !== BATCH) throw new Error('a read is one no more')
  })

export const read: Gate = {
  what: 'to know that a text seen before is a read, in the time of an entry of a Map',
  unit: '×',
  most: 6,
  warmUp: 20,
  variants: { plain: 'passes', anew: 'fails', parsed: 'fails' },
  open: async (variant) => {
    const asked = chosen(VARIANTS, variant, ask)
    const statements = await loadStatements()
    await statements.learn('old', async (text) => ({ rows: text === CATALOG ? CATALOG_PARTS : [] }))
    const known = new Map(TEXTS.map((text) => [text, true]))
    return {
      sample: inQuads(
        inTurn((text) => known.get(text) === true),
        inTurn((text) => asked(statements, text)),
      ),
      close: async () => {},
    }
  },
}
