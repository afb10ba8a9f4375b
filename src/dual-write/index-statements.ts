// The statements that build an index or a constraint while the table is written to, as far as there are such.
import { quoteIdent } from '../control/names.js'
import type { CatalogIndex, IndexedTable } from './index-catalog.js'
import { quoteTable } from './tables.js'

/** An index of one side, and the table of the other side that lacks it. */
export interface Wanted {
  readonly index: CatalogIndex
  readonly table: IndexedTable
  /** The same index, left behind by a build that failed. */
  readonly invalid: CatalogIndex | undefined
  /** The same index, without the constraint. */
  readonly bare: CatalogIndex | undefined
}

interface Built {
  readonly statements: readonly string[]
  readonly blocks: boolean
}

/** Postgres cuts longer names without saying so. */
const LONGEST_NAME_BYTES = 63

/** Gives names that no relation of a schema has, the wished one where it is free. */
export class FreeNames {
  readonly #taken: Set<string>

  constructor(taken: readonly { readonly schema: string; readonly name: string }[]) {
    this.#taken = new Set(taken.map(({ schema, name }) => JSON.stringify([schema, name])))
  }

  take(schema: string, wish: string): string {
    for (let nr = 0; ; nr++) {
      const suffix = nr === 0 ? '' : `_${nr}`
      const name = shortened(wish, LONGEST_NAME_BYTES - suffix.length) + suffix
      const key = JSON.stringify([schema, name])
      if (this.#taken.has(key)) continue
      this.#taken.add(key)
      return name
    }
  }
}

function shortened(name: string, bytes: number): string {
  // A character that was cut in two is read as a replacement character.
  return Buffer.from(name)
    .subarray(0, bytes)
    .toString()
    .replace(/\uFFFD+$/u, '')
}

export function buildStatements(wanted: Wanted, names: FreeNames): Built {
  const { index, table, bare } = wanted
  const { constraint } = index
  if (constraint === undefined)
    return table.partitions === null
      ? { statements: build(wanted, names).statements, blocks: false }
      : { statements: ofPartitioned(wanted, table.partitions, names), blocks: false }
  const add = `ALTER TABLE ${quoteTable(table)} ADD CONSTRAINT ${quoteIdent(constraint.name)}`
  // Neither an exclusion constraint nor one of a partitioned table can take an index that is there.
  const takesIndex = constraint.kind !== 'exclusion' && index.definition.startsWith('USING btree')
  if (!takesIndex || table.partitions !== null)
    return { statements: [`${add} ${constraint.text}`], blocks: true }
  const made = bare ? { name: bare.name, statements: [] } : build(wanted, names)
  const kind = constraint.kind === 'primary' ? 'PRIMARY KEY' : 'UNIQUE'
  return {
    statements: [
      ...made.statements,
      `${add} ${kind} USING INDEX ${quoteIdent(made.name)}${constraint.deferrable}`,
    ],
    blocks: false,
  }
}

function build(
  { index, table, invalid }: Wanted,
  names: FreeNames,
): { readonly name: string; readonly statements: readonly string[] } {
  if (invalid)
    return {
      name: invalid.name,
      statements: [`REINDEX INDEX CONCURRENTLY ${quoteTable({ schema: table.schema, name: invalid.name })}`],
    }
  const name = names.take(table.schema, index.name)
  return {
    name,
    statements: [
      `${create(index)} CONCURRENTLY ${quoteIdent(name)} ON ${quoteTable(table)} ${index.definition}`,
    ],
  }
}

const create = ({ unique }: CatalogIndex): string => `CREATE ${unique ? 'UNIQUE ' : ''}INDEX`

/** CONCURRENTLY is only for tables with rows of their own: the partitions' indexes are built first and then put together. */
function ofPartitioned(
  { index, table, invalid }: Wanted,
  partitions: NonNullable<IndexedTable['partitions']>,
  names: FreeNames,
): string[] {
  const made = new Map<string, string>()
  const roots: string[] = []
  if (invalid) made.set(quoteTable(table), quoteTable({ schema: table.schema, name: invalid.name }))
  else {
    const name = names.take(table.schema, index.name)
    made.set(quoteTable(table), quoteTable({ schema: table.schema, name }))
    roots.push(`${create(index)} ${quoteIdent(name)} ON ONLY ${quoteTable(table)} ${index.definition}`)
  }
  const builds: string[] = []
  const attaches: string[] = []
  for (const partition of partitions) {
    const name = names.take(partition.schema, `${partition.name}_${index.name}`)
    const child = quoteTable({ schema: partition.schema, name })
    made.set(quoteTable(partition), child)
    const parent = made.get(quoteTable({ schema: partition.parentSchema, name: partition.parentName })) ?? ''
    if (partition.leaf)
      builds.push(
        `${create(index)} CONCURRENTLY ${quoteIdent(name)} ON ${quoteTable(partition)} ${index.definition}`,
      )
    else
      roots.push(`${create(index)} ${quoteIdent(name)} ON ONLY ${quoteTable(partition)} ${index.definition}`)
    // Those below come first: a part is attached once it is whole.
    attaches.unshift(`ALTER INDEX ${parent} ATTACH PARTITION ${child}`)
  }
  return [...roots, ...builds, ...attaches]
}
