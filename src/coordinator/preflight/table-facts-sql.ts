// What preflight knows of each table in scope, as one JSON object a table, and of the types that its columns have.
import { CONTROL_SCHEMA, quoteLiteral } from '../../control/names.js'
import { FOREIGN_SCHEMAS } from '../../mirror/scope.js'
import type { TableFacts } from './facts.js'

export const list = (names: readonly string[]): string => names.map(quoteLiteral).join(', ')

export const notForeign = (namespace: string): string =>
  `${namespace}.nspname not in (${list(FOREIGN_SCHEMAS)}) and ${namespace}.nspname not like 'pg\\_%'`

export const ofExtension = (catalog: string, oid: string): string =>
  `exists (select from pg_depend d where d.classid = '${catalog}'::regclass and d.objid = ${oid} and d.deptype = 'e')`

/** The names of rows, sorted, as a JSON array. */
export const names = (expression: string, rest: string): string =>
  `(select coalesce(jsonb_agg(x.n order by x.n), '[]') from (select ${expression} as n ${rest}) x)`

/** Names with a text to each, sorted, as a JSON array of objects. */
export const namedTexts = (name: string, text: string, rest: string): string =>
  `(select coalesce(jsonb_agg(jsonb_build_object('name', x.n, 'text', x.t) order by x.n), '[]')
    from (select ${name} as n, ${text} as t ${rest}) x)`

/** A type as format_type prints it, without its schema. */
const bareType = (type: string, modifier: string, namespace: string): string =>
  `case when ${namespace}.nspname = 'pg_catalog' then format_type(${type}, ${modifier})
    else substr(format_type(${type}, ${modifier}), length(quote_ident(${namespace}.nspname)) + 2) end`

const COLUMNS = `(
  select coalesce(jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
      'typeSchema', case when tn.nspname <> 'pg_catalog' and not ${ofExtension('pg_type', 'coalesce(nullif(t.typelem, 0), t.oid)')}
        then tn.nspname end,
      'typeName', ${bareType('a.atttypid', 'a.atttypmod', 'tn')},
      'notNull', a.attnotnull, 'generated', a.attgenerated, 'identity', a.attidentity, 'hasDefault', a.atthasdef,
      'exact', coalesce((select l.collisdeterministic from pg_collation l where l.oid = a.attcollation), true)
    ) order by a.attnum), '[]')
    from pg_attribute a join pg_type t on t.oid = a.atttypid join pg_namespace tn on tn.oid = t.typnamespace
   where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)`

// Without the index's and the table's names, which need not be the same on both sides.
const definitions = (condition: string): string =>
  names(
    `substr(d.whole, strpos(d.whole, d.upto) + length(d.upto))`,
    `from pg_index i, lateral (select pg_get_indexdef(i.indexrelid) as whole, format(' %I.%I USING ', n.nspname, c.relname) as upto) d
      where i.indrelid = c.oid and ${condition}`,
  )

const constraints = (condition: string): string =>
  names(
    `regexp_replace(pg_get_constraintdef(k.oid), '( DEFERRABLE)?( INITIALLY DEFERRED)?( NOT VALID)?$', '')`,
    `from pg_constraint k where k.conrelid = c.oid and ${condition}`,
  )

const triggers = (condition: string): string =>
  names(
    `t.tgname::text`,
    `from pg_trigger t join pg_proc p on p.oid = t.tgfoid join pg_namespace f on f.oid = p.pronamespace
      where t.tgrelid = c.oid and f.nspname <> ${quoteLiteral(CONTROL_SCHEMA)} and ${condition}`,
  )

export const RIGHTS = ['select', 'insert', 'update', 'delete'] as const

/** Of a table `c` in its namespace `n`. */
const TABLE = {
  schema: `n.nspname`,
  name: `c.relname`,
  kind: `c.relkind`,
  owner: `pg_get_userbyid(c.relowner)`,
  owned: `pg_has_role(c.relowner, 'usage')`,
  lackingRights: names(
    `r.n`,
    `from unnest(array[${list(RIGHTS)}]) r(n) where not has_table_privilege(c.oid, r.n)`,
  ),
  rowSecurity: `c.relrowsecurity and (c.relforcerowsecurity or not pg_has_role(c.relowner, 'usage'))`,
  replicaIdentity: `c.relreplident`,
  hasPrimaryKey: `exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indimmediate)`,
  parents: names(
    `pn.nspname || '.' || p.relname`,
    `from pg_inherits i join pg_class p on p.oid = i.inhparent join pg_namespace pn on pn.oid = p.relnamespace
      where i.inhrelid = c.oid`,
  ),
  partitionKey: `pg_get_partkeydef(c.oid)`,
  partitionBound: `pg_get_expr(c.relpartbound, c.oid)`,
  columns: COLUMNS,
  unique: definitions(`i.indisunique`),
  deferrable: `${definitions(`i.indisunique and not i.indimmediate`)}
    || ${constraints(`k.contype = 'x' and k.condeferrable`)}`,
  exclusions: constraints(`k.contype = 'x'`),
  checks: constraints(`k.contype = 'c'`),
  foreignKeys: names(
    `distinct k.conname::text`,
    `from pg_constraint k where k.contype = 'f' and c.oid in (k.conrelid, k.confrelid)`,
  ),
  // Those of a foreign key are Postgres' own, but may be made to fire as well.
  alwaysTriggers: triggers(`(not t.tgisinternal or t.tgconstraint <> 0) and t.tgenabled in ('A', 'R')`),
  userTriggers: triggers(`not t.tgisinternal and t.tgenabled <> 'D'`),
  rules: `(select coalesce(jsonb_agg(jsonb_build_object('name', r.rulename, 'update', r.ev_type = '2', 'enabled', r.ev_enabled)
      order by r.rulename), '[]') from pg_rewrite r where r.ev_class = c.oid and r.ev_type <> '1')`,
  triggers: namedTexts(
    `t.tgname::text`,
    `replace(pg_get_triggerdef(t.oid), format(' ON %I.%I ', n.nspname, c.relname), ' ON @ ')
      || case t.tgenabled when 'O' then '' when 'D' then ', disabled' when 'A' then ', enable always' else ', enable replica' end`,
    `from pg_trigger t join pg_proc p on p.oid = t.tgfoid join pg_namespace f on f.oid = p.pronamespace
      where t.tgrelid = c.oid and not t.tgisinternal and t.tgparentid = 0 and f.nspname <> ${quoteLiteral(CONTROL_SCHEMA)}`,
  ),
  indexes: definitions(`not i.indisunique and not i.indisexclusion and i.indisvalid and not exists
      (select from pg_inherits h where h.inhrelid = i.indexrelid)`),
  references: `(select coalesce(jsonb_agg(jsonb_build_object('name', k.conname, 'targetSchema', kn.nspname, 'target', kc.relname,
      'text', regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '')) order by k.conname), '[]')
    from pg_constraint k join pg_class kc on kc.oid = k.confrelid join pg_namespace kn on kn.oid = kc.relnamespace
   where k.conrelid = c.oid and k.contype = 'f' and k.conparentid = 0)`,
  policies: namedTexts(
    `o.polname::text`,
    `format('%s for %s to %s using (%s) with check (%s)', case when o.polpermissive then 'permissive' else 'restrictive' end,
      case o.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
      (select string_agg(case m.oid when 0 then 'public' else quote_ident(pg_get_userbyid(m.oid)) end, ', ' order by m.oid = 0, pg_get_userbyid(m.oid))
         from unnest(o.polroles) m(oid)),
      pg_get_expr(o.polqual, o.polrelid), pg_get_expr(o.polwithcheck, o.polrelid))`,
    `from pg_policy o where o.polrelid = c.oid`,
  ),
  rowSecurityOn: `c.relrowsecurity`,
  poolRights: names(
    `r.n`,
    `from unnest(array[${list(RIGHTS)}]) r(n), pool where has_table_privilege(pool.oid, c.oid, r.n)`,
  ),
} as const satisfies Record<keyof TableFacts, string>

export const jsonObject = (entries: readonly (readonly [string, string])[]): string =>
  `jsonb_build_object(${entries.map(([name, sql]) => `${quoteLiteral(name)}, ${sql}`).join(',\n')})`

export const TABLE_FACTS = `(
  select coalesce(jsonb_agg(t.facts order by t.schema collate "C", t.name collate "C"), '[]') from (
    select scope.schema, scope.name, ${jsonObject(Object.entries(TABLE))} as facts
      from scope join pg_class c on c.oid = scope.oid join pg_namespace n on n.oid = c.relnamespace) t)`

/** Read once and looked up by its hash: every table has a row type. */
const TYPES_IN_USE = `(select u.atttypid from scope s join pg_attribute u on u.attrelid = s.oid where u.attnum > 0 and not u.attisdropped)`

/** Enums by their labels, domains by what they allow, composites by their attributes, each in its order. */
export const TYPE_FACTS = `(
  select coalesce(jsonb_agg(jsonb_build_object('schema', n.nspname, 'name', t.typname, 'kind', t.typtype, 'parts', case t.typtype
      when 'e' then (select coalesce(jsonb_agg(v.enumlabel order by v.enumsortorder), '[]') from pg_enum v where v.enumtypid = t.oid)
      when 'd' then jsonb_build_array(${bareType('t.typbasetype', 't.typtypmod', 'bn')}, case when t.typnotnull then 'not null' end)
        || ${names(
          `regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '')`,
          `from pg_constraint k where k.contypid = t.oid and k.contype = 'c'`,
        )}
      else (select jsonb_agg(a.attname || ' ' || ${bareType('a.atttypid', 'a.atttypmod', 'an')} order by a.attnum)
        from pg_attribute a join pg_type e on e.oid = a.atttypid join pg_namespace an on an.oid = e.typnamespace
       where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) end)
    order by n.nspname collate "C", t.typname collate "C"), '[]')
    from pg_type t join pg_namespace n on n.oid = t.typnamespace left join pg_class r on r.oid = t.typrelid
    left join pg_type b on b.oid = t.typbasetype left join pg_namespace bn on bn.oid = b.typnamespace
   where ${notForeign('n')} and not ${ofExtension('pg_type', 't.oid')} and (t.typtype in ('e', 'd') or t.typtype = 'c' and (r.relkind = 'c'
     -- A table's own row type counts where it is the type of a column.
     or r.relkind in ('r', 'p') and (t.oid in ${TYPES_IN_USE} or t.typarray in ${TYPES_IN_USE}))))`
