// What the tests of a relay look at: that nothing is left to carry over, and the rows of a table as one text.
import { recordOf } from '../../../src/dual-write/relay-record.js'
import { one, until } from '../mirror/fixture.js'
import type { Fixture } from '../mirror/fixture.js'

/** Resolves when the record of OLD is empty and all its tables were brought over. */
export const drained = (f: Fixture): Promise<void> =>
  until(
    f.old,
    `not exists (select from ${recordOf(f.m.name)})
       and not exists (select from cutover.backfill where finished is null)`,
  )

export const rowsOf = (run: Fixture['old'], table: string): Promise<string> =>
  one(run, `select coalesce(string_agg(t::text, ' ' order by t::text), '') from public.${table} t`)
