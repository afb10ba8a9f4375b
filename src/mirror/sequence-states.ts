// Reads where every sequence in scope stands: a look at the catalog, then one statement for all values.
import type { Run } from '../control/control-connection.js'
import { quoteIdent } from '../control/names.js'
import { ownRelation, scopeSql } from './scope.js'
import type { SequenceState } from './sequence-target.js'

export type SequenceDefinition = Omit<SequenceState, 'last' | 'called'>

export interface SequenceCatalog {
  readonly definitions: readonly SequenceDefinition[]
  /** Changes when a sequence of the database was made or dropped. */
  readonly fingerprint: string
}

export const sequenceKey = (sequence: { readonly schema: string; readonly name: string }): string =>
  JSON.stringify([sequence.schema, sequence.name])

export const quotedSequence = (sequence: { readonly schema: string; readonly name: string }): string =>
  `${quoteIdent(sequence.schema)}.${quoteIdent(sequence.name)}`

const FINGERPRINT = `(select count(*) || ' ' || coalesce(sum(oid::int8), 0) from pg_class where relkind = 'S')`

/**
 * Every sequence of the application, owned by a column or not: code draws from both. Where the tables are named, those
 * that they own or use in a default.
 */
export async function readCatalog(run: Run, tables: readonly string[] | undefined): Promise<SequenceCatalog> {
  const rows = await run<Record<string, unknown>>(sequenceCatalogSql(tables))
  return {
    definitions: rows.flatMap((row) => (row['name'] === null ? [] : [definitionOf(row)])),
    fingerprint: String(rows[0]?.['fingerprint']),
  }
}

const sequenceCatalogSql = (tables: readonly string[] | undefined): string => `
  with found as (
    select n.nspname::text as schema, c.relname::text as name, s.seqincrement::text as increment, s.seqcache::text as cache,
        s.seqmin::text as min, s.seqmax::text as max, s.seqcycle as cycle
      from pg_sequence s join pg_class c on c.oid = s.seqrelid join pg_namespace n on n.oid = c.relnamespace
     where ${tables === undefined ? ownRelation('c', 'n') : `c.oid in (${usedBy(tables)})`})
  select ${FINGERPRINT} as fingerprint, found.* from (select) one left join found on true
   order by schema collate "C", name collate "C"`

const usedBy = (tables: readonly string[]): string => `
  with scope as (${scopeSql(tables)})
  select d.objid from pg_depend d join scope on d.refobjid = scope.oid
   where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
  union
  select d.refobjid from pg_attrdef a join scope on a.adrelid = scope.oid
    join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = a.oid and d.refclassid = 'pg_class'::regclass`

function definitionOf(row: Record<string, unknown>): SequenceDefinition {
  return {
    schema: String(row['schema']),
    name: String(row['name']),
    increment: BigInt(String(row['increment'])),
    cache: BigInt(String(row['cache'])),
    min: BigInt(String(row['min'])),
    max: BigInt(String(row['max'])),
    cycle: row['cycle'] === true,
  }
}

/**
 * The values of the sequences in the catalog, in one round trip; undefined if sequences came or went since it was read.
 * Not `pg_sequence_last_value`: it says nothing of a sequence that was set but not used since.
 */
export async function readStates(
  run: Run,
  { definitions, fingerprint }: SequenceCatalog,
): Promise<Map<string, SequenceState> | undefined> {
  // A flat list of subqueries: a chain of UNION ALL is planned recursively and meets the stack limit.
  const values = definitions.map(
    (definition) => `(select last_value || ' ' || is_called from ${quotedSequence(definition)})`,
  )
  const [row] = await run<{ fingerprint: string; values: string[] }>(
    `select ${FINGERPRINT} as fingerprint, array[${values.join(', ')}]::text[] as values`,
  ).catch((error: unknown) => {
    // 42P01: one of them was dropped or renamed.
    if (error instanceof Error && 'code' in error && error.code === '42P01') return []
    throw error
  })
  if (row?.fingerprint !== fingerprint) return undefined
  return new Map(
    definitions.map((definition, index) => {
      const [last = '', called] = (row.values[index] ?? '').split(' ')
      return [sequenceKey(definition), { ...definition, last: BigInt(last), called: called === 'true' }]
    }),
  )
}
