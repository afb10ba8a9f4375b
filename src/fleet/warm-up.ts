// What the connections to the side that is to be opened run once, before anybody waits for them.
import { quoteLiteral } from '../control/names.js'

const WARMED_TABLES = 200

/**
 * Loads each table, its indexes and its triggers into the session's caches without reading a row, in the application's own
 * sessions and with its own rights: what it may not read is left out. `tables` are quoted where needed.
 */
export const warmUpText = (tables: readonly string[]): string =>
  `do ${quoteLiteral(`
declare r regclass;
begin
  for r in select to_regclass(t) from unnest(array[${tables.map(quoteLiteral).join(', ')}]::text[]) t limit ${WARMED_TABLES}
  loop
    if has_table_privilege(r, 'select') then execute format('explain select from %s', r); end if;
  end loop;
end`)}`
