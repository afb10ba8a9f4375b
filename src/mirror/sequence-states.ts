// Reads where every sequence in scope stands: a look at the catalog, then one statement for all values.
import { createHash } from 'node:crypto'
import type { Run } from '../control/control-connection.js'
import { quoteIdent } from '../control/names.js'
import type { TableName } from './mapping.js'
import { ownRelation, scopeSql } from './scope.js'
import type { SequenceState } from './sequence-target.js'

/** A column that owns a sequence or draws its default from it. */
export interface DrawingColumn extends TableName {
  readonly column: string
}

export interface SequenceDefinition extends Omit<SequenceState, 'last' | 'called'> {
  readonly drawnBy: readonly DrawingColumn[]
}

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
        s.seqmin::text as min, s.seqmax::text as max, s.seqcycle as cycle, ${DRAWN_BY} as "drawnBy"
      from pg_sequence s join pg_class c on c.oid = s.seqrelid join pg_namespace n on n.oid = c.relnamespace
     where ${tables === undefined ? ownRelation('c', 'n') : `c.oid in (${usedBy(tables)})`})
  select ${FINGERPRINT} as fingerprint, found.* from (select) one left join found on true
   order by schema collate "C", name collate "C"`

// Those of a partition are its root's.
const DRAWN_BY = `(
  select coalesce(jsonb_agg(distinct jsonb_build_object('schema', tn.nspname, 'name', t.relname, 'column', a.attname)), '[]')
    from (select d.refobjid as relid, d.refobjsubid as attnum from pg_depend d
           where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass
             and d.deptype in ('a', 'i')
          union all
          select f.adrelid, f.adnum from pg_depend d join pg_attrdef f on f.oid = d.objid
           where d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid) u
    join pg_class t on t.oid = u.relid and not t.relispartition join pg_namespace tn on tn.oid = t.relnamespace
    join pg_attribute a on a.attrelid = u.relid and a.attnum = u.attnum)`

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
    drawnBy: row['drawnBy'] as readonly DrawingColumn[],
  }
}

/**
 * The values of the sequences in the catalog, in one round trip; undefined if sequences came or went since it was read.
 * Not `pg_sequence_last_value`: it says nothing of a sequence that was set but not used since.
 */
export const readStates = (run: Run, catalog: SequenceCatalog): Promise<SequenceStates | undefined> =>
  statesBy(run, catalog, valuesSql(catalog))

/** Plans the look beforehand, on this session: planning takes ten times as long as looking. */
export async function prepareLook(run: Run, catalog: SequenceCatalog): Promise<void> {
  await run(`prepare ${lookName(catalog)} as ${valuesSql(catalog)}`).catch(ignoring('42P05'))
  // The plan is made at the first use.
  await readPreparedStates(run, catalog)
}

/** The same as {@link readStates} by the look that was prepared; undefined too if this session has none. */
export const readPreparedStates = (run: Run, catalog: SequenceCatalog): Promise<SequenceStates | undefined> =>
  statesBy(run, catalog, `execute ${lookName(catalog)}`)

/** Where a sequence of the application stands. */
export type KnownSequence = SequenceDefinition & SequenceState

export type SequenceStates = ReadonlyMap<string, KnownSequence>

// A flat list of subqueries: a chain of UNION ALL is planned recursively and meets the stack limit.
function valuesSql({ definitions }: SequenceCatalog): string {
  const values = definitions.map(
    (definition) => `(select last_value || ' ' || is_called from ${quotedSequence(definition)})`,
  )
  return `select ${FINGERPRINT} as fingerprint, array[${values.join(', ')}]::text[] as values`
}

const lookName = (catalog: SequenceCatalog): string =>
  `cutover_look_${createHash('sha256').update(valuesSql(catalog)).digest('hex').slice(0, 16)}`

async function statesBy(
  run: Run,
  { definitions, fingerprint }: SequenceCatalog,
  text: string,
): Promise<SequenceStates | undefined> {
  // One of them was dropped or renamed, or the session that had prepared the look is gone.
  const rows = await run<{ fingerprint: string; values: string[] }>(text).catch(ignoring('42P01', '26000'))
  const row = rows?.[0]
  if (row?.fingerprint !== fingerprint) return undefined
  return new Map(
    definitions.map((definition, index) => {
      const [last = '', called] = (row.values[index] ?? '').split(' ')
      return [sequenceKey(definition), { ...definition, last: BigInt(last), called: called === 'true' }]
    }),
  )
}

const ignoring =
  (...sqlStates: readonly string[]) =>
  (error: unknown): undefined => {
    if (error instanceof Error && 'code' in error && sqlStates.includes(String(error.code))) return undefined
    throw error
  }
