// The unit that puts capture on one table: it looks at what is there under a lock that lets no writer be half way.
import { captureName, quoteIdent, quoteLiteral, recordTable } from '../control/names.js'
import { restartBackfillSql } from './backfill.js'
import { captureFunctions, captureTriggers, keyStamp, relationsSql, triggerName } from './capture-sql.js'
import type { CaptureFunction, CapturePlan, CaptureTrigger } from './capture-sql.js'
import { quoteTable } from './tables.js'

/** Statements of PL/pgSQL. */
export function captureUnit(plan: CapturePlan): string {
  const { name, table } = plan
  return `
declare
  captured_otherwise boolean;
  place record;
begin
  lock table ${table.only ? 'only ' : ''}${quoteTable(table)} in share row exclusive mode;
  select p.prosrc not like ${quoteLiteral(`%${keyStamp(plan)}%`)} into captured_otherwise
    from pg_proc p where p.oid = to_regprocedure(${quoteLiteral(firstFunction(plan))});
  if exists (select from cutover.side where name = ${quoteLiteral(name)} and status = 'writer') then
    ${bringOver(plan)}
  end if;
  ${captureFunctions(plan).map(replaceFunction).join('\n  ')}
  ${dropStrays(plan)}
  ${captureTriggers(plan)
    .map((trigger) => replaceTrigger(plan, trigger))
    .join('\n  ')}
  ${enableTriggers(plan)}
end;`
}

const oidOf = ({ table }: CapturePlan): string => `'${table.oid}'::oid`

const firstFunction = (plan: CapturePlan): string => {
  const [first] = captureFunctions(plan)
  return first ? `cutover.${quoteIdent(first.name)}()` : ''
}

// On the writer alone. What was changed unseen cannot be known, and deleted rows least of all: then all of the table is
// brought over as after a TRUNCATE. A key of another form must never be read by those who know the new one.
function bringOver(plan: CapturePlan): string {
  const oid = oidOf(plan)
  const record = `cutover.${quoteIdent(recordTable(plan.name))}`
  const relations = relationsSql(oid)
  const stands = (trigger: string): string => `exists (select from pg_trigger t
        where t.tgrelid = x.relid and t.tgname = ${trigger} and t.tgenabled in ('O', 'A'))`
  const [rows, truncate] = [false, true].map((whole) =>
    captureTriggers(plan)
      .filter(({ kind }) => (kind === 'tru') === whole)
      .map((trigger) => quoteLiteral(trigger.name))
      .join(', '),
  )
  return `if captured_otherwise is null then
      ${restartBackfillSql(plan, plan.table.oid)};
    elsif captured_otherwise
      or exists (select from ${relations} x, unnest(array[${rows}]::name[]) as wanted (name)
        where not ${stands('wanted.name')})
      -- Every TRUNCATE gives a table another file: one that still has its first was not truncated unseen.
      or exists (select from ${relations} x where x.kind = 'r' and pg_relation_filenode(x.relid) <> x.relid
        and not ${stands(truncate ?? '')})
    then
      if captured_otherwise then
        delete from ${record} where tbl = ${oid};
      end if;
      insert into ${record} (xid, tbl, whole) values (pg_current_xact_id(), ${oid}, true);
    end if;`
}

// Left alone where it is the same, since a role that does not own it may not replace it.
const replaceFunction = (fn: CaptureFunction): string => `
  if not exists (select from pg_proc p where p.oid = to_regprocedure(${quoteLiteral(`cutover.${quoteIdent(fn.name)}()`)})
    and starts_with(p.prosrc, ${quoteLiteral(fn.stamp)})) then
    ${fn.create};
  end if;`

// Of a table that has become a partition, or was one: such a trigger speaks for another table than this.
function dropStrays(plan: CapturePlan): string {
  const prefix = quoteLiteral(`${captureName(plan.name)}_`)
  const own = quoteLiteral(triggerName(plan.name, plan.table.oid, ''))
  return `
  for place in select t.tgrelid::regclass as relation, t.tgname as name from pg_trigger t
    where t.tgrelid in (select x.relid from ${relationsSql(oidOf(plan))} x) and t.tgparentid = 0
      and starts_with(t.tgname, ${prefix}) and not starts_with(t.tgname, ${own})
      and substr(t.tgname, length(${prefix}) + 1) ~ '^[0-9]+_(ins|upd|del|key|tru)$' loop
    execute format('drop trigger %I on %s', place.name, place.relation);
  end loop;`
}

function replaceTrigger(plan: CapturePlan, trigger: CaptureTrigger): string {
  const oid = oidOf(plan)
  // A TRUNCATE fires those of the very tables that it empties, and PostgreSQL clones them to no partition.
  const places = trigger.kind === 'tru' ? `x.kind = 'r'` : `x.relid = ${oid}`
  return `
  for place in select x.relid::regclass as relation, t.oid is not null as there,
      t.tgtype <> ${trigger.type} or p.proname <> ${quoteLiteral(trigger.function)} or captured_otherwise as differs
    from ${relationsSql(oid)} x left join pg_trigger t on t.tgrelid = x.relid and t.tgname = ${quoteLiteral(trigger.name)}
      left join pg_proc p on p.oid = t.tgfoid where ${places} loop
    if place.differs then
      execute format('drop trigger %I on %s', ${quoteLiteral(trigger.name)}, place.relation);
    end if;
    if place.differs or not place.there then
      execute ${quoteLiteral(trigger.before)} || place.relation || ${quoteLiteral(trigger.after)};
    end if;
  end loop;`
}

const enableTriggers = (plan: CapturePlan): string => `
  for place in select t.tgrelid::regclass as relation, t.tgname as name from pg_trigger t
    where t.tgrelid in (select x.relid from ${relationsSql(oidOf(plan))} x) and t.tgenabled not in ('O', 'A')
      and starts_with(t.tgname, ${quoteLiteral(triggerName(plan.name, plan.table.oid, ''))}) loop
    execute format('alter table only %s enable trigger %I', place.relation, place.name);
  end loop;`
