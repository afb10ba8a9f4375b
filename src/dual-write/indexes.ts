// The indexes and constraints that one side has and the other side lacks, as statements that build them under traffic.
import type { Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { nameAcross, tablesOn } from '../mirror/mapping.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'
import { indexCatalogSql, takenNamesSql } from './index-catalog.js'
import type { CatalogIndex, IndexedTable } from './index-catalog.js'
import { FreeNames, buildStatements } from './index-statements.js'
import type { Wanted } from './index-statements.js'

export interface MissingIndex {
  /** `schema.table` on the side that lacks it. */
  readonly table: string
  /** As it is called on the side that has it. */
  readonly name: string
  readonly kind: 'index' | 'constraint'
  /**
   * To be run one by one, in this order and outside a transaction, by whoever owns the table. Statements that are not
   * CONCURRENTLY hold writers up while they run where {@link blocks} says so.
   */
  readonly statements: readonly string[]
  /** There is no form that lets writers go on. */
  readonly blocks: boolean
}

/**
 * Compares by definition, not by name. Expressions are compared as the server prints them, so that one which calls a
 * function of a schema that has another name on the other side counts as missing.
 */
export async function missingIndexes(
  m: Pick<Migration, 'control' | 'dualWrite' | 'tables'>,
  from: Side,
): Promise<MissingIndex[]> {
  const to = otherSide(from)
  const read = (run: Run, side: Side): Promise<(IndexedTable & Record<string, unknown>)[]> =>
    run(indexCatalogSql(tablesOn(m, side)))
  const [here, there] = await Promise.all([read(m.control[from].run, from), read(m.control[to].run, to)])
  const wanted = here.flatMap((table) => {
    const { schema, name } = nameAcross(m, from, table)
    const other = there.find((candidate) => candidate.schema === schema && candidate.name === name)
    return other === undefined ? [] : table.indexes.flatMap((index) => wantedOn(other, index) ?? [])
  })
  if (wanted.length === 0) return []
  const taken = await m.control[to].run<{ schema: string; name: string }>(takenNamesSql, [
    [
      ...new Set(
        wanted.flatMap(({ table }) => [table, ...(table.partitions ?? [])].map(({ schema }) => schema)),
      ),
    ],
  ])
  const names = new FreeNames(taken)
  return wanted.map((one) => ({
    table: `${one.table.schema}.${one.table.name}`,
    name: one.index.name,
    kind: one.index.constraint === undefined ? 'index' : 'constraint',
    ...buildStatements(one, names),
  }))
}

function wantedOn(table: IndexedTable, index: CatalogIndex): Wanted | undefined {
  if (index.attached || !index.valid) return undefined
  if (!index.columns.every((column) => table.columns.includes(column))) return undefined
  const same = table.indexes.filter((other) => isSame(index, other))
  const { constraint } = index
  // One that is being built at this moment is not to be touched.
  if (same.some(({ building }) => building)) return undefined
  if (
    same.some(
      (other) => other.valid && (constraint === undefined || other.constraint?.text === constraint.text),
    )
  )
    return undefined
  return {
    index,
    table,
    invalid: same.find(({ valid }) => !valid),
    bare: same.find((other) => other.valid && other.constraint === undefined),
  }
}

const isSame = (a: CatalogIndex, b: CatalogIndex): boolean => a.unique === b.unique && bare(a) === bare(b)

/** Storage parameters may differ from side to side. */
const bare = ({ definition }: CatalogIndex): string =>
  definition.replace(/ WITH \((?:\w+='[^']*'(?:, )?)+\)/, '')
