// Asks a side, in one statement each, whether its schema has changed and what it says of everything a text may name.
import { DENIED, HARMLESS, MOVING, MOVING_PATTERN, ORDER_BOUND, RUNS_TEXTS } from './built-ins.js'

/** Ids below are those of objects that came with the server. */
const FIRST_USER_ID = 16384

const list = (names: Iterable<string>): string => `'{${[...names].join(',')}}'::text[]`

const user = (column: string): string => `${column} >= ${FIRST_USER_ID}`

// A row that was changed has another xmin; one that was added or dropped changes the sum as well. Index and toast tables
// are left out: they are half of pg_class, and say nothing here.
const summed = (catalog: string, filter = 'true'): string => `
  (select count(*) || ':' || coalesce(sum(hashint8extended((tableoid::bigint << 32) | oid::bigint, xmin::text::bigint)), 0)
     from pg_catalog.${catalog} where ${filter})`

const FINGERPRINT = [
  `current_setting('standard_conforming_strings')`,
  summed('pg_proc', user('oid')),
  summed('pg_class', `${user('oid')} and relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c')`),
  summed('pg_type', `${user('oid')} and typcategory <> 'A'`),
  summed('pg_rewrite', user('oid')),
  summed('pg_policy'),
  summed('pg_operator', user('oid')),
  summed('pg_cast', user('oid')),
  summed('pg_constraint', 'contypid <> 0'),
  summed('pg_amop', user('oid')),
  summed('pg_amproc', user('oid')),
  summed('pg_namespace', user('oid')),
  // What has no id of its own.
  `(select count(*) || ':' || coalesce(sum(hashint8extended((inhparent::bigint << 32) | inhrelid::bigint, xmin::text::bigint)), 0)
      from pg_catalog.pg_inherits)`,
  // Of its columns only the sum of all would tell, ten times as many rows: a unique column that was renamed or may be NULL
  // from now on is seen with the next change of another kind.
  `(select count(*) || ':' || coalesce(sum(hashint8extended(indexrelid::bigint, xmin::text::bigint)), 0)
      from pg_catalog.pg_index where indisunique and ${user('indrelid')})`,
].join(" || ' ' || ")

/** One row, `fingerprint`: equal as long as nothing was created, altered or dropped that {@link CATALOG} tells of. */
export const CATALOG_FINGERPRINT = `select ${FINGERPRINT} as fingerprint`

// As in flags.ts: 1 not a read, 2 its answer moves, 4 it cuts, 8 it gives many rows for one.
const BUILT_IN_FLAGS = `
  (case when (p.provolatile = 'v' and p.proname <> all(${list(HARMLESS)})) or p.proname = any(${list(DENIED)}) then 1 else 0 end
   | case when p.provolatile = 'v' or p.proname = any(${list(MOVING)}) or p.proname ~ '${MOVING_PATTERN.source}' then 2 else 0 end
   | case when p.proretset then 8 else 0 end)`

const treeFlags = (tree: string): string => `
  (case when ${tree} ~ (select ':(funcid|aggfnoid|winfnoid) (' || coalesce(string_agg(oid::text, '|'), '0') || ')[^0-9]' from built_in where flags & 1 <> 0) then 1 else 0 end
   | case when ${tree} ~ (select 'SQLVALUEFUNCTION|TABLESAMPLECLAUSE|:relid ([0-9]{1,4}|1[0-5][0-9]{3}|16[0-2][0-9]{2}|163[0-7][0-9]|1638[0-3]) |:(funcid|aggfnoid|winfnoid) (' || coalesce(string_agg(oid::text, '|'), '0') || ')[^0-9]' from built_in where flags & 2 <> 0) then 2 else 0 end
   | case when ${tree} ~ (select ':limit(Count|Offset) {|:hasDistinctOn true|:(aggfnoid|winfnoid) (' || coalesce(string_agg(oid::text, '|'), '0') || ')[^0-9]' from built_in where name = any(${list(ORDER_BOUND)})) then 4 else 0 end)`

/** Which objects a kind of objects stands on, as the server keeps it of all but its own. */
const edges = (letter: string, id: string, from: string, classid: string, more = 'true'): string => `
  select '${letter}' || ${id} as above,
         case d.refclassid when 'pg_catalog.pg_proc'::regclass then 'f' when 'pg_catalog.pg_class'::regclass then 'r'
              when 'pg_catalog.pg_operator'::regclass then 'o' else 't' end || d.refobjid as below
    from ${from} join pg_catalog.pg_depend d on d.classid = 'pg_catalog.${classid}'::regclass and d.objid = x.oid
   where d.deptype in ('n', 'a', 'i') and ${user('d.refobjid')} and ${more}
     and d.refclassid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_class'::regclass,
                          'pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_type'::regclass)`

/** Longer lists come in parts: what is parsed at once is a turn in which nothing else runs. */
const PART = 200

const several = (list: string, columns: string, from: string): string => `
select '${list}' as list, json_agg(one)::text as part
  from (select json_build_array(${columns}) as one, row_number() over () / ${PART} as nr from ${from}) parts group by nr`

const single = (list: string, value: string): string => `
select '${list}' as list, to_json(${value})::text as part`

/** Rows of `list` and `part`: JSON as {@link CatalogRows} says, lists in parts, with the fingerprint of the same snapshot. */
export const CATALOG = `
with built_in as materialized (
  select p.oid, n.nspname as schema, p.proname as name, ${BUILT_IN_FLAGS} as flags, p.prosrc
    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
   where p.oid < ${FIRST_USER_ID}),
functions as (
  select p.oid, n.nspname as schema, p.proname as name,
         (case when p.proretset then 8 else 0 end | case when p.prokind = 'p' or (p.provolatile = 'v' and p.prokind <> 'a') then 3 else 0 end
          | case when p.prosrc = '' or l.lanname <> 'internal' then 0
                 else coalesce((select bit_or(b.flags) from built_in b where b.prosrc = p.prosrc), 1) end
          | case when l.lanname = 'c' and p.prosrc = any(${list(RUNS_TEXTS)}) then 3 else 0 end
          | case when p.prokind = 'a' then (
              select coalesce(bit_or(b.flags), 0) from pg_catalog.pg_aggregate a join built_in b
                  on b.oid in (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)
               where a.aggfnoid = p.oid) else 0 end
          | case when p.proargdefaults is null then 0 else ${treeFlags('p.proargdefaults::text')} end) as flags,
         case when p.provolatile <> 'v' and l.lanname not in ('internal', 'c')
              then case when p.prosqlbody is null then p.prosrc else pg_catalog.pg_get_function_sqlbody(p.oid) end end as body,
         exists (select from pg_catalog.pg_type t where t.oid = p.proargtypes[0]
                   and (t.typtype in ('c', 'p') or exists (select from pg_catalog.pg_type b where b.oid = t.typbasetype and b.typtype = 'c')))
           as of_row
    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
         join pg_catalog.pg_language l on l.oid = p.prolang
   where ${user('p.oid')}),
relations as (
  select c.oid, n.nspname as schema, c.relname as name,
         (case when c.relkind = 'f' or c.relpersistence = 't' then 3 when c.relkind = 'S' then 2 else 0 end
          | case when c.relkind = 'v' then
              (select coalesce(bit_or(${treeFlags('r.ev_action::text')}), 1) from pg_catalog.pg_rewrite r where r.ev_class = c.oid)
            else 0 end
          | case when c.relrowsecurity then
              (select coalesce(bit_or(${treeFlags('p.polqual::text')}), 0) from pg_catalog.pg_policy p
                where p.polrelid = c.oid and p.polcmd in ('r', '*') and p.polqual is not null) else 0 end) as flags,
         c.relhassubclass and c.relkind <> 'p' as has_heirs, c.relkind
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where ${user('c.oid')} and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and n.nspname <> 'pg_toast'),
types as (
  select t.oid, n.nspname as schema, t.typname as name,
         case when t.typtype = 'd' then
           (select coalesce(bit_or(${treeFlags('c.conbin::text')}), 0) from pg_catalog.pg_constraint c where c.contypid = t.oid) & 1
         else 0 end as flags
    from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
   where ${user('t.oid')} and t.typcategory <> 'A'
     and not exists (select from pg_catalog.pg_class c where c.oid = t.typrelid and c.relkind <> 'c')),
edges as (
  ${edges('r', 'x.ev_class', 'pg_catalog.pg_rewrite x join relations v on v.oid = x.ev_class', 'pg_rewrite', `v.relkind = 'v' and d.refobjid <> x.ev_class`)}
  union ${edges('r', 'x.polrelid', 'pg_catalog.pg_policy x', 'pg_policy', `x.polcmd in ('r', '*') and d.refobjid <> x.polrelid`)}
  union ${edges('f', 'x.oid', 'pg_catalog.pg_proc x', 'pg_proc', user('x.oid'))}
  union ${edges('t', 'x.contypid', 'pg_catalog.pg_constraint x', 'pg_constraint', 'x.contypid <> 0 and d.refobjid <> x.contypid')}
  union ${edges('t', 'x.oid', 'pg_catalog.pg_type x', 'pg_type', `${user('x.oid')} and d.refclassid <> 'pg_catalog.pg_class'::regclass`)}
  union ${edges('o', 'x.oid', 'pg_catalog.pg_operator x', 'pg_operator', user('x.oid'))}
  union ${edges(
    't',
    'x.reltype',
    `pg_catalog.pg_class x`,
    'pg_class',
    `x.reltype <> 0 and d.refclassid = 'pg_catalog.pg_type'::regclass and d.refobjid in
      (select oid from pg_catalog.pg_type where ${user('oid')} and (typtype in ('d', 'c') or typelem <> 0))`,
  )}
  union select 'r' || i.inhparent, 'r' || i.inhrelid from pg_catalog.pg_inherits i join relations p on p.oid = i.inhparent),
operators as (
  select o.oid, n.nspname as schema, o.oprname as name, coalesce(b.flags, 0) & 1 as flags
    from pg_catalog.pg_operator o join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
         left join built_in b on b.oid = o.oprcode
   where ${user('o.oid')}),
casts as (
  select c.castcontext = 'i' or c.casttarget = 'json'::regtype or c.casttarget = 'jsonb'::regtype as unseen,
         'f' || c.castfunc as by, coalesce(b.flags, 0) & 1 as flags, t.typname as target
    from pg_catalog.pg_cast c join pg_catalog.pg_type t on t.oid = c.casttarget left join built_in b on b.oid = c.castfunc
   where ${user('c.oid')}),
unseen as (
  select 'f' || a.amproc::oid as id from pg_catalog.pg_amproc a join pg_catalog.pg_proc p on p.oid = a.amproc
         join pg_catalog.pg_language l on l.oid = p.prolang
   where ${user('p.oid')} and l.lanname not in ('c', 'internal')
   union select 'f' || o.oprcode::oid from pg_catalog.pg_amop a join pg_catalog.pg_operator o on o.oid = a.amopopr
         join pg_catalog.pg_proc p on p.oid = o.oprcode join pg_catalog.pg_language l on l.oid = p.prolang
   where ${user('p.oid')} and l.lanname not in ('c', 'internal')),
keys as (
  select i.indrelid, json_agg(a.attname) as columns
    from pg_catalog.pg_index i join relations r on r.oid = i.indrelid
         join pg_catalog.pg_attribute a on a.attrelid = i.indrelid
          and a.attnum = any((i.indkey::int2[])[0:i.indnkeyatts - 1])
   where i.indisunique and i.indimmediate and i.indisvalid and i.indpred is null and i.indexprs is null
     and not r.has_heirs
   group by i.indexrelid, i.indrelid having bool_and(a.attnotnull))
${[
  single('fingerprint', FINGERPRINT),
  single('standardStrings', `current_setting('standard_conforming_strings')`),
  several(
    'builtIns',
    'schema, name, flags',
    '(select schema, name, bit_or(flags) as flags from built_in group by schema, name) b',
  ),
  several('functions', `'f' || oid, schema, name, flags, body, of_row`, 'functions'),
  several('relations', `'r' || oid, schema, name, flags`, 'relations'),
  several(
    'systemRelations',
    'n.nspname, c.relname',
    `pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid < ${FIRST_USER_ID} and c.relkind in ('r', 'v') and n.nspname in ('pg_catalog', 'information_schema')`,
  ),
  several('types', `'t' || oid, schema, name, flags`, 'types'),
  several(
    'rowTypes',
    `'t' || c.reltype, n.nspname, c.relname`,
    `pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where ${user('c.oid')} and c.reltype <> 0 and c.relkind in ('r', 'p', 'v', 'm', 'f')`,
  ),
  several(
    'systemTypes',
    'n.nspname, t.typname',
    `pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    where t.oid < ${FIRST_USER_ID} and (t.typtype <> 'c') and n.nspname in ('pg_catalog', 'information_schema')`,
  ),
  several('operators', `'o' || oid, schema, name, flags`, 'operators'),
  single(
    'systemOperators',
    `(select json_agg(distinct oprname) from pg_catalog.pg_operator where oid < ${FIRST_USER_ID})`,
  ),
  several('edges', 'above, below', 'edges'),
  several('casts', 'unseen, by, flags, target', 'casts'),
  single('unseen', '(select json_agg(id) from unseen)'),
  several('keys', `'r' || indrelid, columns`, 'keys'),
].join(' union all ')}`
