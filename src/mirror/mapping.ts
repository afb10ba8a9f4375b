// What a table is called on each side, where the two sides do not name it alike.
import type { Migration } from '../control/migration.js'
import { quoteIdent } from '../control/names.js'
import { splitTableName } from '../options.js'
import type { Side } from '../phase/phases.js'

export interface TableName {
  readonly schema: string
  readonly name: string
}

export type Mapped = Pick<Migration, 'dualWrite' | 'tables'>

/** The name on the other side of what has this name on `side`. Each table has one name, also on the way back. */
export function nameAcross(
  { dualWrite }: Pick<Mapped, 'dualWrite'>,
  side: Side,
  table: TableName,
): TableName {
  let whole: TableName | undefined
  for (const [old, next] of Object.entries(dualWrite.mapped)) {
    const [here, there] = (side === 'old' ? [old, next] : [next, old]).map((text) => splitTableName(text))
    if (!here || !there || here.schema !== table.schema) continue
    if (here.name === table.name) return there
    // A name of its own outranks that of its schema.
    if (here.name === '*') whole = { schema: there.schema, name: table.name }
  }
  return whole ?? table
}

/** The option `tables` as the tables are called on this side. */
export function tablesOn(m: Mapped, side: Side): readonly string[] | undefined {
  if (side === 'old' || m.tables === undefined) return m.tables
  return m.tables.map((text) => {
    const table = splitTableName(text)
    if (!table) return text
    const { schema, name } = nameAcross(m, 'old', table)
    return `${quoteIdent(schema)}.${quoteIdent(name)}`
  })
}
