// Puts a mark on record before anybody waits, and lets the pause begin only when one has come through quickly.
import { setTimeout as delay } from 'node:timers/promises'
import { quoteIdent, recordTable } from '../control/names.js'
import { CutoverError } from '../errors.js'
import { keyText } from '../dual-write/capture-sql.js'
import { hasPassed } from '../dual-write/record-look.js'
import { quoteTable } from '../dual-write/tables.js'
import type { MirroredTable } from '../dual-write/tables.js'
import { LOOK_MILLIS, QUICK_MILLIS } from './probe.js'
import type { Attempt } from './attempt.js'
import { because, lookAtRecord, refuseStuck } from './look-at-record.js'

/** Resolves when a mark took less than a quarter of a second; rejects with `ERR_PREPARE` saying how long the last one takes. */
export async function probeRecord(a: Attempt, deadline: number): Promise<void> {
  // A key's text is read by the relay, which has these too.
  await a.left
    .run(`select set_config('intervalstyle', 'postgres', false), set_config('extra_float_digits', '3', false),
    set_config('bytea_output', 'hex', false), set_config('lc_monetary', 'C', false)`)
  for (;;) {
    const began = performance.now()
    await mark(a)
    let look = await lookAtRecord(a)
    const { boundary } = look
    while (!hasPassed(boundary, look)) {
      refuseStuck(a, look, 'ERR_PREPARE')
      if (performance.now() > deadline) {
        throw new CutoverError(
          'ERR_PREPARE',
          `the mirror to the ${a.to} database is behind: what is on record has not come through for ${Math.round(performance.now() - began)} ms${because(look)}`,
        )
      }
      await delay(LOOK_MILLIS)
      look = await lookAtRecord(a, look)
    }
    if (performance.now() - began < QUICK_MILLIS) return
  }
}

const LARGEST = 3

/** One row more on record, of the largest tables: it is written as it is, so nothing changes. None where all are empty. */
async function mark(a: Attempt): Promise<void> {
  const { m, from, epoch, left } = a
  const tables = a.captured?.[from] ?? []
  const largest = await left.run<{ oid: number }>(
    `select oid::int8::float8 as oid from pg_class where oid = any ($1::oid[])
      order by pg_relation_size(oid) desc limit ${LARGEST}`,
    [tables.map((table) => table.from.oid)],
  )
  for (const { oid } of largest) {
    const table = tables.find((one) => one.from.oid === oid)
    if (table && (await left.run(markSql(m.name, table), [m.name, epoch])).length > 0) return
  }
}

const markSql = (name: string, { from, key }: MirroredTable): string => `
  insert into cutover.${quoteIdent(recordTable(name))} (xid, tbl, key)
  select pg_current_xact_id(), ${from.oid}::oid, ${keyText(
    'x',
    key.map((column) => column.name),
  )}
    from ${from.only ? 'only ' : ''}${quoteTable(from)} x
   where exists (select from cutover.side where name = $1 and epoch = $2::bigint - 1 and status = 'writer')
   limit 1
  returning 1`
