// Carries rows of a test's tables from one side to the other as the relay does, and tells what each side has, to the byte.
import type { ControlConnection, Run } from '../../../src/control/control-connection.js'
import { readRows, type RowBatch } from '../../../src/dual-write/read-rows.js'
import { sessionOf } from '../../../src/dual-write/rows-session.js'
import { readMirrored, type Mirrored, type MirroredTable } from '../../../src/dual-write/tables.js'
import { writeText, type WriteGuard } from '../../../src/dual-write/write-rows.js'
import { otherSide, type Side } from '../../../src/phase/phases.js'
import { fixture, type Fixture, type FixtureOptions } from '../mirror/fixture.js'

/** What changes the text of values, or how texts are read, all of it unlike the defaults. */
const HOSTILE = {
  datestyle: 'SQL, DMY',
  intervalstyle: 'sql_standard',
  timezone: 'Asia/Kolkata',
  extra_float_digits: '-10',
  bytea_output: 'escape',
  xmloption: 'document',
  standard_conforming_strings: 'off',
  array_nulls: 'off',
  quote_all_identifiers: 'on',
  search_path: 'public',
}

export interface Carrier extends Fixture {
  readonly guard: (side: Side) => WriteGuard
  /** Sessions that read rows of a side, and that write them. */
  readonly reader: Readonly<Record<Side, ControlConnection>>
  readonly writer: Readonly<Record<Side, ControlConnection>>
  /** By its name on the side that is read. */
  table(from: Side, name: string): Promise<MirroredTable>
  read(from: Side, name: string, keys: readonly string[]): Promise<RowBatch>
  write(to: Side, batches: readonly RowBatch[], how?: 'usual' | 'replace'): Promise<void>
  /** Of each key: what is read there, written here. */
  carry(from: Side, name: string, keys: readonly string[], how?: 'usual' | 'replace'): Promise<RowBatch>
}

export async function carrier(options: FixtureOptions): Promise<Carrier> {
  const f = await fixture({ dualWrite: {}, ...options })
  // Any side may be written in these tests.
  await f.both(`update cutover.side set status = 'mirror'`)
  for (const [name, value] of Object.entries(HOSTILE))
    await f.both(
      `do $$ begin execute format('alter database %I set ${name} = %L', current_database(), '${value}'); end $$`,
    )
  const forks: ControlConnection[] = []
  const fork = (side: Side, way: 'read' | 'replica'): ControlConnection => {
    const made = f.m.control[side].fork({ session: sessionOf(way) })
    forks.push(made)
    return made
  }
  const reader = { old: fork('old', 'read'), new: fork('new', 'read') }
  const writer = { old: fork('old', 'replica'), new: fork('new', 'replica') }
  const guard = (side: Side): WriteGuard => ({ name: f.m.name, side, generation: 0 })
  const tables = new Map<Side, Promise<Mirrored>>()
  const table = async (from: Side, name: string): Promise<MirroredTable> => {
    const mirrored = tables.get(from) ?? readMirrored(f.m, from, f)
    tables.set(from, mirrored)
    const found = (await mirrored).tables.find((one) => one.from.name === name)
    if (!found) throw new Error(`${name} is not mirrored`)
    return found
  }
  const read = async (from: Side, name: string, keys: readonly string[]): Promise<RowBatch> =>
    readRows(reader[from].run, await table(from, name), keys)
  const write = async (
    to: Side,
    batches: readonly RowBatch[],
    how: 'usual' | 'replace' = 'usual',
  ): Promise<void> => {
    try {
      await writer[to].run(writeText(guard(to), batches, how))
    } catch (error) {
      await writer[to].run('rollback')
      throw error
    }
  }
  return {
    ...f,
    guard,
    reader,
    writer,
    table,
    read,
    write,
    async carry(from, name, keys, how) {
      const batch = await read(from, name, keys)
      await write(otherSide(from), [batch], how)
      return batch
    },
    async drop() {
      for (const made of forks) await made.close()
      await f.drop()
    },
  }
}

/** Every column of every row as text and, where the type is Postgres's own, in its binary form. */
export async function bytesOf(run: Run, table: string, order = 'id'): Promise<unknown[]> {
  const columns = await run<{ name: string; form: string }>(
    `select format('%I', a.attname) as name, format(case when t.oid = '"char"'::regtype then '%1$I::int4::text'
         when t.oid >= 16384 then $$format('%%s', %1$I)$$
         when t.typsend = 0 or t.oid = 'aclitem[]'::regtype then '%1$I::text'
         when t.typcategory = 'A' then $$concat(%1$I::text, ' = ', encode(array_send(%1$I), 'hex'))$$
         else $$concat(%1$I::text, ' = ', encode(array_send(array[%1$I]), 'hex'))$$ end, a.attname) as form
       from pg_attribute a join pg_type t on t.oid = a.atttypid
      where a.attrelid = '${table}'::regclass and a.attnum > 0 and not a.attisdropped order by a.attname collate "C"`,
  )
  const list = columns.map(
    ({ name, form }) => `case when ${name} is distinct from null then ${form} end as ${name}`,
  )
  return run(`select ${list.join(', ')} from ${table} order by ${order}`)
}
