// What preflight asks of a database besides its tables: views, routines, foreign servers, collations, and who was granted what.
import { ownRelation } from '../../mirror/scope.js'
import type { SideFacts } from './facts.js'
import { jsonObject, list, names, namedTexts, notForeign, ofExtension, RIGHTS } from './table-facts-sql.js'

const THIS_DATABASE = `(select oid from pg_database where datname = current_database())`

/** Roles that have to do with the tables in scope: owners, those with a grant, and the application's own. */
const CONCERNED = `(select c.relowner from scope join pg_class c on c.oid = scope.oid
  union select g.grantee from scope join pg_class c on c.oid = scope.oid, lateral aclexplode(c.relacl) g
  union select oid from pool)`

export const OBJECT_FACTS = {
  materializedViews: `(select coalesce(jsonb_agg(jsonb_build_object('name', n.nspname || '.' || c.relname,
      'populated', c.relispopulated) order by n.nspname, c.relname), '[]')
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'm' and ${ownRelation('c', 'n')})`,
  views: names(
    `n.nspname || '.' || c.relname`,
    `from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'v' and ${ownRelation('c', 'n')}`,
  ),
  routines: namedTexts(
    `format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))`,
    `md5(concat_ws('/', p.prosrc, p.provolatile, p.prosecdef, p.proconfig))`,
    `from pg_proc p join pg_namespace n on n.oid = p.pronamespace where ${notForeign('n')} and not ${ofExtension('pg_proc', 'p.oid')}`,
  ),
  // The options may hold what is secret, so only whether they are the same is known of them.
  foreignServers: `(select coalesce(jsonb_agg(jsonb_build_object('name', s.srvname, 'wrapper', w.fdwname,
      'digest', md5(coalesce((select string_agg(o, '/' order by o) from unnest(s.srvoptions) o), ''))) order by s.srvname), '[]')
    from pg_foreign_server s join pg_foreign_data_wrapper w on w.oid = s.srvfdw)`,
  // From 15 a database keeps the version of its own collation; 100 stands for that one.
  staleCollations: names(
    `k.name`,
    `from (
      select 'the database''s own' as name, to_jsonb(d)->>'datcollversion' as version, 100 as oid
        from pg_database d where datname = current_database()
      union all select l.collname, l.collversion, l.oid from pg_collation l
       where l.collversion is not null and l.oid in (select a.attcollation from scope join pg_attribute a on a.attrelid = scope.oid)
      ) k where k.version is not null and k.version is distinct from pg_collation_actual_version(k.oid)`,
  ),
  pool: `(select ${jsonObject([
    ['role', `pool.rolname`],
    ['superuser', `pool.rolsuper`],
    ['connectionLimit', `pool.rolconnlimit`],
    [
      'lockedSchemas',
      names(
        `distinct n.nspname::text`,
        `from scope join pg_namespace n on n.nspname = scope.schema where not has_schema_privilege(pool.oid, n.oid, 'usage')`,
      ),
    ],
    [
      'lockedSequences',
      names(
        `format('%I.%I', n.nspname, c.relname)`,
        `from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where case when c.relkind = 'S' then not has_sequence_privilege(pool.oid, c.oid, 'usage') else false end
            and ${ownRelation('c', 'n')}
            -- Who inserts into a table with an identity column needs no right on its sequence.
            and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'i')`,
      ),
    ],
  ])} from pool)`,
  grants: `(select coalesce(jsonb_agg(jsonb_build_object('role', g.role, 'schema', g.schema, 'name', g.name, 'rights', g.rights)
      order by g.role, g.schema, g.name), '[]') from (
    select case g.grantee when 0 then '' else pg_get_userbyid(g.grantee)::text end as role, scope.schema, scope.name,
           jsonb_agg(lower(g.privilege_type) order by lower(g.privilege_type)) as rights
      from scope join pg_class c on c.oid = scope.oid, lateral aclexplode(c.relacl) g
     where g.grantee <> c.relowner and lower(g.privilege_type) in (${list(RIGHTS)}) and g.grantee not in (select oid from pool)
     group by 1, 2, 3) g)`,
  startSettings: `(select coalesce(jsonb_agg(jsonb_build_object('role', x.role, 'name', x.name, 'value', x.value)
      order by x.role, x.name), '[]') from (
    -- What is set for a role in this database goes before what is set for it everywhere.
    select distinct on (role, name) case s.setrole when 0 then '' else pg_get_userbyid(s.setrole)::text end as role,
           split_part(v, '=', 1) as name, substr(v, strpos(v, '=') + 1) as value
      from pg_db_role_setting s, lateral unnest(s.setconfig) v
     where s.setdatabase = ${THIS_DATABASE} or s.setdatabase = 0 and s.setrole in ${CONCERNED}
     order by role, name, s.setdatabase desc) x)`,
} as const satisfies Partial<Record<keyof SideFacts, string>>
