// The unit that puts capture on one table: it looks at what is there under a lock that lets no writer be half way.
import { captureName, quoteIdent, quoteLiteral, recordTable } from '../control/names.js'
import { restartBackfillSql } from './backfill.js'
import { captureFunctions, captureTriggers, keyStamp, relationsSql } from './capture-sql.js'
import type { CapturePlan } from './capture-sql.js'
import { quoteTable } from './tables.js'

/** Statements of PL/pgSQL. Few queries, since writers of the table wait while each of them is planned. */
export function captureUnit(plan: CapturePlan): string {
  const { name, table } = plan
  const oid = `'${table.oid}'::oid`
  const prefix = quoteLiteral(`${captureName(name)}_`)
  const record = quoteLiteral(`cutover.${quoteIdent(recordTable(name))}`)
  // What there is of the table's own: which kind of trigger it is on which relations.
  const here = `(t.tgrelid = any (relations) and starts_with(t.tgname, ${prefix})
      and substr(t.tgname, length(${prefix}) + 1) ~ '^[0-9]+_(ins|upd|del|key|tru)$')`
  return `
declare
  captured_otherwise boolean;
  place record;
  relations oid[];
  -- Those that hold rows: a TRUNCATE fires theirs, and Postgres clones such a trigger to no partition.
  filled oid[];
begin
  lock table ${table.only ? 'only ' : ''}${quoteTable(table)} in share row exclusive mode;
  select array_agg(x.relid), array_agg(x.relid) filter (where x.filled) into relations, filled
    from ${relationsSql(oid, String(table.partitioned))} x;
  select not starts_with(p.prosrc, ${quoteLiteral(`-- pg-cutover ${keyStamp(plan)}`)}) into captured_otherwise
    from pg_proc p where p.oid = to_regprocedure(${quoteLiteral(`cutover.${quoteIdent(firstFunction(plan))}()`)});
  if exists (select from cutover.side where name = ${quoteLiteral(name)} and status = 'writer') then
    ${bringOver(plan)}
  end if;
  for place in select w.text from (values ${wantedFunctions(plan)}) w (name, stamp, text)
    -- Left alone where it is the same, since a role that does not own it may not replace it.
    where not exists (select from pg_proc p where p.pronamespace = 'cutover'::regnamespace and p.proname = w.name
      and starts_with(p.prosrc, w.stamp)) loop
    -- It runs with the rights of who makes it: without this one the application's own writes would be refused.
    if not has_table_privilege(${record}, 'insert') then
      raise insufficient_privilege using message = format('role %I may not insert into %s', current_user, ${record});
    end if;
    execute place.text;
  end loop;
  -- Another table's too, where this one has become a partition or was one.
  for place in select t.tgrelid::regclass as relation, t.tgname as name
    from pg_trigger t join pg_proc p on p.oid = t.tgfoid
      left join (values ${wantedTriggers(plan)}) w (name, runs, type, text, level) on w.name = t.tgname
    where ${here} and t.tgparentid = 0
      and (w.name is null or captured_otherwise or t.tgtype <> w.type or p.proname <> w.runs) loop
    execute format('drop trigger %I on %s', place.name, place.relation);
  end loop;
  for place in select w.text || r.oid::regclass || w.level as text
    from (values ${wantedTriggers(plan)}) w (name, runs, type, text, level), unnest(relations) r (oid)
    where case when w.type = ${TRUNCATES} then r.oid = any (filled) else r.oid = ${oid} end
      and not exists (select from pg_trigger t where t.tgrelid = r.oid and t.tgname = w.name) loop
    execute place.text;
  end loop;
  for place in select t.tgrelid::regclass as relation, t.tgname as name from pg_trigger t
    where ${here} and t.tgenabled not in ('O', 'A') loop
    execute format('alter table only %s enable trigger %I', place.relation, place.name);
  end loop;
end;`
}

/** `pg_trigger.tgtype` of the trigger of a TRUNCATE, which is always one for the statement. */
const TRUNCATES = 32

const firstFunction = (plan: CapturePlan): string => captureFunctions(plan)[0]?.name ?? ''

const literals = (values: readonly string[]): string => values.map(quoteLiteral).join(', ')

const wantedFunctions = (plan: CapturePlan): string =>
  captureFunctions(plan)
    .map((fn) => `(${literals([fn.name, fn.stamp, fn.create])})`)
    .join(', ')

const wantedTriggers = (plan: CapturePlan): string =>
  captureTriggers(plan)
    .map(
      (trigger) =>
        `(${literals([trigger.name, trigger.function])}, ${trigger.type}, ${literals([trigger.before, trigger.after])})`,
    )
    .join(', ')

// On the writer alone. What was changed unseen cannot be known, and deleted rows least of all: then all of the table is
// brought over as after a TRUNCATE. Keys of another form must never be read by those who know the new one.
function bringOver(plan: CapturePlan): string {
  const oid = `'${plan.table.oid}'::oid`
  const record = `cutover.${quoteIdent(recordTable(plan.name))}`
  const lost = (kinds: 'rows' | 'truncate', relations: string): string => {
    const names = captureTriggers(plan).filter(({ type }) => (type === TRUNCATES) === (kinds === 'truncate'))
    return `exists (select from unnest(${relations}) r (oid), (values ${names.map((trigger) => `(${quoteLiteral(trigger.name)})`).join(', ')}) w (name)
        where not exists (select from pg_trigger t where t.tgrelid = r.oid and t.tgname = w.name
          and t.tgenabled in ('O', 'A'))`
  }
  // One that was brought over before has rows on the other side, of which some may have gone here unseen.
  return `if captured_otherwise is null and not exists (
      select from cutover.backfill where name = ${quoteLiteral(plan.name)} and tbl = ${oid}) then
      ${restartBackfillSql(plan, plan.table.oid)};
    elsif captured_otherwise
      or ${lost('rows', 'relations')})
      -- Every TRUNCATE gives a table another file: one that still has its first was not truncated unseen.
      or ${lost('truncate', 'filled')} and pg_relation_filenode(r.oid) <> r.oid)
    then
      if captured_otherwise then
        delete from ${record} where tbl = ${oid};
      end if;
      insert into ${record} (xid, tbl, whole) values (pg_current_xact_id(), ${oid}, true);
    end if;`
}
