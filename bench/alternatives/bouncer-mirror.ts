// What an operator of PgBouncer does about the data: logical replication to the other server, and a mark that shows its end.
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Side } from '../../src/index.js'
import type { Urls } from '../dual-write/ground.js'

const READY_WITHIN_MILLIS = 20_000

export interface BouncerMirror {
  /** The side becomes a copy of the other one and follows it. Nobody writes meanwhile. */
  mirrorTo(to: Side): Promise<void>
  /** Once nobody writes any more: resolves when the side has all that the other one had. */
  passed(to: Side): Promise<void>
  close(): Promise<void>
}

/** Of the table `item`; its connections stay open, so that no pause is longer for them. */
export async function bouncerMirror(urls: Urls): Promise<BouncerMirror> {
  const clients = { old: new pg.Client(urls.old), new: new pg.Client(urls.new) }
  for (const client of Object.values(clients)) {
    await client.connect()
    await client.query('create table mark (id int primary key, n int not null)')
    await client.query('create publication bench for table item, mark')
  }
  await clients.old.query('insert into mark values (1, 0)')
  const ways = (to: Side) => (to === 'new' ? (['old', 'new'] as const) : (['new', 'old'] as const))

  return {
    async mirrorTo(to) {
      const [from] = ways(to)
      // Both ways at once would send each change round and round.
      await clients[from].query(`drop subscription if exists bench_to_${from}`)
      await clients[to].query(`drop subscription if exists bench_to_${to}`)
      await clients[to].query('truncate item, mark')
      await clients[to].query(
        `create subscription bench_to_${to} connection '${urls[from].replaceAll("'", "''")}' publication bench`,
      )
      const deadline = performance.now() + READY_WITHIN_MILLIS
      while (!(await isCopied(clients[to]))) {
        if (performance.now() > deadline) throw new Error('the copy did not come to its end')
        await delay(20)
      }
    },
    async passed(to) {
      const [from] = ways(to)
      const { rows } = await clients[from].query<{ n: number }>('update mark set n = n + 1 returning n')
      const deadline = performance.now() + READY_WITHIN_MILLIS
      for (;;) {
        const seen = await clients[to].query<{ n: number }>('select n from mark')
        if (seen.rows[0]?.n === rows[0]?.n) return
        if (performance.now() > deadline) throw new Error('the mark did not pass')
      }
    },
    async close() {
      // The servers are thrown away with all that is in them.
      await Promise.all([clients.old.end(), clients.new.end()])
    },
  }
}

async function isCopied(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ copied: boolean }>(
    `select bool_and(srsubstate = 'r') as copied from pg_subscription_rel r
      join pg_subscription s on s.oid = r.srsubid
     where subdbid = (select oid from pg_database where datname = current_database())`,
  )
  return rows[0]?.copied === true
}
