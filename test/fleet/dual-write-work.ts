// Random transactions of an application: contention on few keys, and everything that makes a mirror go wrong.
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'

export interface Hands {
  readonly client: pg.ClientBase
  readonly random: () => number
}

type Work = (hands: Hands) => Promise<unknown>

const WORDS = ['', 'a', 'A', 'NULL', '"', "'", '\\', '{a,b}', 'a b', 'é', 'e\u0301', '$r$', '\t\n', '0', '00']

/** One of 1 to `n`. */
const pick = (random: () => number, n: number): number => 1 + Math.floor(random() * n)
const day = (random: () => number): string => `2026-01-0${pick(random, 9)}`
const word = (random: () => number): string => WORDS[pick(random, WORDS.length) - 1] ?? ''
/** 1 and 1.00 are equal keys with other bytes. */
const amount = (random: () => number): string => (pick(random, 6) / 2).toFixed(pick(random, 4))
const note = (random: () => number): string => 'x'.repeat(pick(random, 40))

const WORK = {
  hot: ({ client, random }) => client.query('update hot set nr = nr + 1 where id = $1', [pick(random, 3)]),
  enqueue: ({ client, random }) =>
    client.query('insert into job (queue) select $1 from generate_series(1, $2::int)', [
      `q${pick(random, 2)}`,
      pick(random, 3),
    ]),
  async dequeue({ client, random }) {
    const { rows } = await client.query<{ queue: string; nr: string }>(
      'select queue, nr from job where queue = $1 order by nr for update skip locked limit $2',
      [`q${pick(random, 2)}`, pick(random, 4)],
    )
    for (const { queue, nr } of rows) {
      if (random() < 0.3)
        await client.query(`update job set state = 'taken' where queue = $1 and nr = $2`, [queue, nr])
      if (random() < 0.9) await client.query('delete from job where queue = $1 and nr = $2', [queue, nr])
    }
  },
  renumber: ({ client, random }) =>
    client.query(
      `update job set nr = nr + 1000000, queue = $1 where (queue, nr) in
       (select queue, nr from job where nr < 1000000 order by nr for update skip locked limit 1)`,
      [`q${pick(random, 2)}`],
    ),
  async swapSlots({ client, random }) {
    const [a, b] = [pick(random, 12), pick(random, 12)]
    const { rows } = await client.query<{ id: number; place: number | null }>(
      'select id, place from slot where id in ($1, $2) order by id for update',
      [a, b],
    )
    const [one, other] = rows
    if (!one || !other) return
    await client.query('update slot set place = null where id = $1', [one.id])
    await client.query('update slot set place = $2 where id = $1', [other.id, one.place])
    await client.query('update slot set place = $2 where id = $1', [one.id, other.place])
  },
  async moveSlot({ client, random }) {
    const { rows } = await client.query<{ place: number | null }>(
      'delete from slot where id = $1 returning place',
      [pick(random, 16)],
    )
    for (const { place } of rows)
      await client.query('insert into slot (id, place, note) values ($1, $2, $3)', [
        pick(random, 16),
        place,
        note(random),
      ])
  },
  renumberSlot: ({ client, random }) =>
    client.query('update slot set id = $2, note = $3 where id = $1', [
      pick(random, 16),
      pick(random, 16),
      note(random),
    ]),
  swapRanks: ({ client, random }) =>
    client.query(
      `update rank r set place = o.place from rank o where r.id in ($1, $2) and o.id in ($1, $2) and o.id <> r.id`,
      [pick(random, 12), pick(random, 12)],
    ),
  putAmount: ({ client, random }) =>
    client.query(
      `insert into amount (key, note) values ($1, $2)
       on conflict (key) do update set key = excluded.key, note = excluded.note`,
      [amount(random), note(random)],
    ),
  renameAmount: ({ client, random }) =>
    client.query('select rename_amount($1, $2)', [amount(random), amount(random)]),
  takeAmount: ({ client, random }) => client.query('delete from amount where key = $1', [amount(random)]),
  putWord: ({ client, random }) =>
    client.query(
      'insert into word (word, n) values ($1, 1) on conflict (word) do update set n = word.n + 1',
      [word(random)],
    ),
  renameWord: ({ client, random }) =>
    client.query('update word set word = $2 where word = $1', [word(random), word(random)]),
  takeWord: ({ client, random }) => client.query('delete from word where word = $1', [word(random)]),
  mergeEvents: ({ client, random }) =>
    client.query(
      `merge into event e using (select generate_series($1::int, $1 + 2) as id) s on e.id = s.id
       when matched and e.id % 3 = 0 then delete
       when matched then update set day = $2::date, note = $3
       when not matched then insert (id, day, note) values (s.id, $2::date, $3)`,
      [pick(random, 12), day(random), note(random)],
    ),
  moveEvent: ({ client, random }) =>
    client.query('update event set day = $2::date where id = $1', [pick(random, 14), day(random)]),
  addParent: ({ client, random }) =>
    client.query(
      random() < 0.5
        ? 'insert into parent values ($1, 0) on conflict (id) do update set v = parent.v + 1'
        : 'insert into child values ($1, 0, 1) on conflict (id) do update set extra = child.extra + 1',
      [pick(random, 8)],
    ),
  changeParents: ({ client, random }) =>
    client.query(
      random() < 0.7 ? 'update parent set v = v + 1 where id >= $1' : 'delete from parent where id = $1',
      [pick(random, 8)],
    ),
  addAlways: ({ client, random }) => client.query('insert into always (v) values ($1)', [pick(random, 99)]),
  changeAlways: ({ client, random }) =>
    random() < 0.5
      ? client.query('delete from always where id in (select id from always order by id limit 1)')
      : client.query(
          'update always set v = $1 where id in (select id from always order by id desc limit 2)',
          [pick(random, 99)],
        ),
  addOwner: ({ client, random }) =>
    client.query('insert into owner values ($1, 0) on conflict (id) do update set v = owner.v + 1', [
      pick(random, 10),
    ]),
  addPet: ({ client, random }) =>
    client.query(
      `insert into pet select $1, id from owner where id >= $2 order by id limit 1 for update
       on conflict (id) do update set owner = excluded.owner`,
      [pick(random, 40), pick(random, 10)],
    ),
  cascade: ({ client, random }) =>
    random() < 0.5
      ? client.query('delete from owner where id = $1', [pick(random, 10)])
      : client.query('update owner set id = $2 where id = $1', [pick(random, 10), pick(random, 10)]),
  changeBag: ({ client, random }) =>
    random() < 0.3
      ? client.query('delete from bag where id = $1', [pick(random, 300)])
      : client.query(
          'insert into bag (id, v) values ($1, $2) on conflict (id) do update set v = excluded.v',
          [pick(random, 300), note(random)],
        ),
  async copyBag({ client, random }) {
    const first = pick(random, 290)
    await client.query('delete from bag where id between $1 and $1 + 5', [first])
    const stream = client.query(copyFrom('copy bag (id, v) from stdin'))
    const ended = once(stream, 'finish')
    for (let id = first; id <= first + 5; id++) stream.write(`${id}\t${note(random)}\n`)
    stream.end()
    await ended
  },
  async emptyBag({ client, random }) {
    await client.query('truncate bag')
    if (random() < 0.7)
      await client.query('insert into bag (id, v) select i, $1 from generate_series($2::int, $2 + 80) i', [
        note(random),
        pick(random, 220),
      ])
  },
} satisfies Record<string, Work>

/** Each TRUNCATE has its table brought over anew, and before that is done the writer does not change. */
const SELDOM: Readonly<Record<string, number>> = { emptyBag: 0.01, copyBag: 0.2 }

/** Chooses kinds of work as this seed weighs them: some are frequent in one run and seldom in another. */
export function choiceOfWork(random: () => number): (random: () => number) => Work {
  const weighed = Object.entries(WORK).map(([name, work]) => {
    return { work, weight: (SELDOM[name] ?? 1) * (0.1 + random()) }
  })
  const all = weighed.reduce((sum, { weight }) => sum + weight, 0)
  return (now) => {
    let left = now() * all
    for (const { work, weight } of weighed) if ((left -= weight) < 0) return work
    return WORK.hot
  }
}

/**
 * One transaction, or one work in autocommit; true where it has counted one more under `writer` and was acknowledged.
 * Rejects with the connection's or the server's error; then the transaction may be open.
 */
export async function transact(hands: Hands, work: readonly Work[], writer: number): Promise<boolean> {
  const { client, random } = hands
  const [first] = work
  if (first && random() < 0.3) {
    await first(hands)
    return false
  }
  const chance = random()
  const level = chance < 0.8 ? 'read committed' : chance < 0.95 ? 'repeatable read' : 'serializable'
  await client.query(`begin isolation level ${level}`)
  // The first table in the order of the fence's locks, which would meet each transaction in a deadlock otherwise.
  await client.query('update acknowledged set nr = nr + 1 where writer = $1', [writer])
  for (const one of work) {
    const doomed = random() < 0.15
    if (doomed) await client.query('savepoint before')
    await one(hands)
    if (doomed) await client.query('rollback to before')
    // A transaction that others overtake: its records are lower than those that were carried over before them.
    if (random() < 0.02) await delay(random() * 100)
  }
  const isKept = random() < 0.9
  await client.query(isKept ? 'commit' : 'rollback')
  return isKept
}
