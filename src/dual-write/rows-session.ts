// The settings of the sessions that read rows on one side and write them on the other, so that each value keeps its bytes.
import { quoteLiteral, RELAY_APPLICATION } from '../control/names.js'

/**
 * `read`: reads rows on the writer. `replica`: writes them on the other side past its triggers and foreign keys.
 * `plain`: the same where the role may not set `session_replication_role`.
 */
export type RowsWay = 'read' | 'replica' | 'plain'

const EXACT = {
  application_name: RELAY_APPLICATION,
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  datestyle: 'ISO, YMD',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  extra_float_digits: '3',
  bytea_output: 'hex',
  xmloption: 'content',
  lc_monetary: 'C',
  array_nulls: 'on',
  quote_all_identifiers: 'off',
  search_path: 'pg_catalog, pg_temp',
  // An error in place of rows that are left out in silence, which would then be deleted on the other side.
  row_security: 'off',
  jit: 'off',
  // A row is found by its key, whatever the statistics say: those of a table that is just being filled say that it is empty.
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  // What a session plans once is planned for few rows and right for many, by the three settings above.
  plan_cache_mode: 'force_generic_plan',
  synchronous_commit: 'on',
} as const satisfies Record<string, string>

/** What to run on each new connection of the relay: `ControlBounds.session`. Refused (42501) where `replica` is not allowed. */
export function sessionOf(way: RowsWay): string {
  const calls = Object.entries(EXACT).map(
    ([name, value]) => `set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, false)`,
  )
  // Not set to `origin` otherwise: saying so takes the privilege too. By SET, which some managed services let roles do that
  // may not do it by a function.
  return `${way === 'replica' ? 'set session_replication_role = replica; ' : ''}select ${calls.join(', ')}`
}
