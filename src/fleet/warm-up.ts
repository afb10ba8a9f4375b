// What the connections to the side that is to be opened run once, before anybody waits for them.
import { quoteLiteral } from '../control/names.js'

const WARMED_TABLES = 200
/** Nobody waits for a lock only to be quicker later. */
const LOCK_MILLIS = 100

/**
 * Loads each table, its indexes and its triggers into the session's caches without reading a row, in the application's own
 * sessions and with its own rights: what it may not do is left out. `tables` are quoted where needed.
 *
 * The function of the fence is half of what a session's first write costs. It is run by a DELETE of no row, which the fence
 * refuses; not where another trigger of a statement, or a rule, could be run by it.
 */
export const warmUpText = (tables: readonly string[]): string =>
  `do ${quoteLiteral(`
declare t text; r regclass; fence oid;
begin
  perform set_config('lock_timeout', '${LOCK_MILLIS}ms', true);
  select p.oid into fence from pg_proc p join pg_namespace n on n.oid = p.pronamespace
   where n.nspname = 'cutover' and p.proname = 'fence';
  for t in select unnest(array[${tables.slice(0, WARMED_TABLES).map(quoteLiteral).join(', ')}]::text[]) loop
    begin
      r := to_regclass(t);
      execute format('explain select from %s', r);
      if (select count(*) filter (where tgfoid = fence) > 0 and count(*) filter (where tgfoid is distinct from fence) = 0
            from pg_trigger
           where tgrelid = r and tgtype & 1 = 0 and tgtype & 8 = 8 and tgenabled in ('O', 'A'))
        and not exists (select from pg_class where oid = r and relhasrules)
      then execute format('delete from %s where false', r); end if;
      raise exception 'undone';
    exception when assert_failure or others then null;
    end;
  end loop;
end`)}`
