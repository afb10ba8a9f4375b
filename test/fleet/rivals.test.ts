// Three rival coordinators without a lock, stalled and killed at random, under six writers: one side at a time writes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { expect, it } from 'vitest'
import { recover } from '../../src/coordinator/recover.js'
import { beginMirror } from '../../src/coordinator/begin-mirror.js'
import { ensureStandingTriggers } from '../../src/coordinator/fence-triggers.js'
import type { Side } from '../../src/phase/phases.js'
import { protocolFixture } from '../postgres/protocol/fixture.js'
import type { ProtocolFixture } from '../postgres/protocol/fixture.js'
import { compiled } from '../support/compiled.js'
import type { RivalOrder } from './rival-coordinator.js'
import { seededRandom } from '../support/seeded-random.js'

const SECONDS = Number(process.env['RIVALS_SECONDS'] ?? 16)
const SEED = Number(process.env['RIVALS_SEED'] ?? Date.now() % 1_000_000)
const MIRROR =
  (['replication', 'dual-write'] as const).find((mirror) => mirror === process.env['RIVALS_MIRROR']) ?? 'none'
const RIVALS = 3
const WRITERS = 6

// The time is that of the moment after the fence's trigger has let the statement pass; both servers share one clock.
const SCHEMA = `
  create table public.log (id bigint primary key, side text not null, at timestamptz not null default clock_timestamp());
  create table public.opens (at timestamptz not null default clock_timestamp(), epoch bigint not null);
`
// Kept by the row itself, since a coordinator that is killed tells nobody that it has opened a side.
const AUDIT = `
  create function public.note_open() returns trigger language plpgsql security definer as $$
  begin
    insert into public.opens (epoch) values (new.opened);
    return null;
  end $$;
  create trigger note_open after update on cutover.side for each row
    when (old.status in ('mirror', 'moved') and new.status = 'writer') execute function public.note_open();
`

it(
  `the log of accepted writes changes side exactly once for each opening (${SECONDS} s, seed ${SEED})`,
  async () => {
    const f = await protocolFixture({ schema: SCHEMA, tables: ['public.log'], mirror: MIRROR })
    try {
      await f.both(AUDIT)
      for (const side of ['old', 'new'] as const)
        await f.m.control[side].run(`alter table public.log alter side set default '${side}'`)
      // From here on the new database is shut.
      if (MIRROR === 'none') await ensureStandingTriggers(f.m, 'new', performance.now() + 5_000)
      else await beginMirror(f.m, 'old', 'old')
      const stop = new AbortController()
      const acknowledged: Record<Side, number[]> = { old: [], new: [] }
      const writers = Array.from({ length: WRITERS }, (_, index) =>
        write(f, index, acknowledged, stop.signal),
      )
      const rivals = Array.from({ length: RIVALS }, (_, index) => disturb(f, index, stop.signal))
      await Promise.race([delay(SECONDS * 1_000), ...writers, ...rivals])
      stop.abort()
      const heard = (await Promise.all(rivals)).flat()
      await Promise.all(writers)
      await recover(f.m)
      await judge(f, acknowledged, heard)
    } finally {
      await f.drop()
    }
  },
  (SECONDS + 40) * 1_000,
)

/** One of the six: tries either side, in several ways, and notes what was acknowledged. */
async function write(
  f: ProtocolFixture,
  index: number,
  acknowledged: Record<Side, number[]>,
  signal: AbortSignal,
): Promise<void> {
  const random = seededRandom(SEED * 31 + index)
  const clients: Record<Side, pg.Client> = { old: await f.app('old'), new: await f.app('new') }
  let next = index
  while (!signal.aborted) {
    const side: Side = random() < 0.5 ? 'old' : 'new'
    const client = clients[side]
    await delay(random() * 6)
    const ids = [(next += WRITERS), (next += WRITERS)] as const
    try {
      const kind = random()
      if (kind < 0.5) {
        await client.query('insert into log (id) values ($1)', [ids[0]])
        acknowledged[side].push(ids[0])
      } else if (kind < 0.75) {
        await client.query('begin')
        for (const id of ids) await client.query('insert into log (id) values ($1)', [id])
        await client.query('commit')
        acknowledged[side].push(...ids)
      } else {
        // A snapshot that may be older than the next fence, and than the opening after it.
        await client.query('begin isolation level repeatable read')
        await client.query('select from log limit 1')
        await delay(random() * 60)
        await client.query('insert into log (id) values ($1)', [ids[0]])
        await client.query('commit')
        acknowledged[side].push(ids[0])
      }
    } catch (error) {
      await client.query('rollback')
      const code = error instanceof pg.DatabaseError ? error.code : undefined
      // Refused by the fence, or by the serialisation that a snapshot may meet: anything else is a finding.
      if (code !== '25006' && code !== '40001' && code !== '40P01') throw error
    }
  }
}

/** Keeps one rival running, but stops it dead for a while now and then, or kills it. Gives what it said. */
async function disturb(f: ProtocolFixture, index: number, signal: AbortSignal): Promise<string[]> {
  const random = seededRandom(SEED * 17 + index)
  const heard: string[] = []
  while (!signal.aborted) {
    const rival = startRival(f, Math.floor(random() * 2 ** 31), heard)
    const ended = once(rival, 'exit')
    // A process that has not yet begun has nothing to be disturbed in.
    await Promise.race([once(rival.stdout, 'data'), ended, once(signal, 'abort')])
    while (rival.exitCode === null && rival.signalCode === null && !signal.aborted) {
      await Promise.race([wait(300 + random() * 1_500, signal), ended])
      if (random() < 0.15) {
        rival.kill('SIGKILL')
        await ended
      } else {
        rival.kill('SIGSTOP')
        await wait(random() ** 2 * 1_500, signal)
        rival.kill('SIGCONT')
        heard.push('stalled')
      }
    }
    rival.kill('SIGTERM')
    await ended
    if (!signal.aborted) heard.push('killed')
  }
  return heard
}

function startRival(f: ProtocolFixture, seed: number, heard: string[]): Rival {
  const order: RivalOrder = { name: f.m.name, old: f.urls.old, new: f.urls.new, seed, mirror: MIRROR }
  const rival = spawnRival(order)
  rival.stdout.setEncoding('utf8').on('data', (text: string) => heard.push(...text.trim().split('\n')))
  return rival
}

const spawnRival = (order: RivalOrder) =>
  spawn(
    process.execPath,
    [compiled(fileURLToPath(new URL('rival-coordinator.ts', import.meta.url))), JSON.stringify(order)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
type Rival = ReturnType<typeof spawnRival>

const wait = (millis: number, signal: AbortSignal): Promise<void> =>
  delay(millis, undefined, { signal }).catch(() => {})

async function judge(
  f: ProtocolFixture,
  acknowledged: Record<Side, number[]>,
  heard: readonly string[],
): Promise<void> {
  const read = async (side: Side, columns: string): Promise<Entry[]> => {
    const rows = await f.m.control[side].run<{ at: string; id: string; side: Side }>(
      `select (extract(epoch from at) * 1000000)::bigint::text as at, ${columns}`,
    )
    return rows.map((row) => ({ side: row.side, at: Number(row.at), id: Number(row.id) }))
  }
  const inOrder = (entries: Entry[]): Entry[] => entries.toSorted((a, b) => a.at - b.at)
  const opens = inOrder([
    ...(await read('old', `epoch::text as id, 'old' as side from public.opens`)),
    ...(await read('new', `epoch::text as id, 'new' as side from public.opens`)),
  ])
  // With a mirror the writer has every row of both; without one each side has its own.
  const holders = MIRROR === 'none' ? (['old', 'new'] as const) : [opens.at(-1)?.side ?? 'old']
  const log: Entry[] = []
  for (const holder of holders) log.push(...(await read(holder, 'id::text, side from public.log')))
  log.splice(0, Infinity, ...inOrder(log))

  for (const side of ['old', 'new'] as const) {
    const there = new Set(log.filter((entry) => entry.side === side).map(({ id }) => id))
    expect(
      acknowledged[side].filter((id) => !there.has(id)),
      `acknowledged by ${side} and lost`,
    ).toEqual([])
  }
  // Whose turn it was at each accepted write, by the openings alone.
  const wrong: string[] = []
  let turn = -1
  let changes = 0
  let last: Side = 'old'
  const used = new Set<number>()
  for (const entry of log) {
    while ((opens[turn + 1]?.at ?? Infinity) < entry.at) turn++
    const writer = opens[turn]?.side ?? 'old'
    if (entry.side !== writer) {
      const since = opens[turn]
      wrong.push(
        `${entry.side} wrote ${entry.id} ${entry.at - (since?.at ?? 0)} µs after ${writer} was opened (${since?.id})`,
      )
    }
    if (entry.side !== last) changes++
    last = entry.side
    used.add(turn)
  }
  const withWrites = opens.filter((_, index) => used.has(index))
  const expected = withWrites.filter((open, index) => open.side !== (withWrites[index - 1]?.side ?? 'old'))
  const counts = [...new Set(heard)].map((said) => `${said} ${heard.filter((line) => line === said).length}`)
  console.log(
    `seed ${SEED}: ${opens.length} openings, ${changes} changes of side in ${log.length} accepted writes; ${counts.join(', ')}`,
  )
  expect(wrong.slice(0, 5), `${wrong.length} writes on the wrong side`).toEqual([])
  expect(opens.map(({ side }) => side)).toEqual(opens.map((_, index) => (index % 2 === 0 ? 'new' : 'old')))
  expect(opens.map(({ id }) => id)).toEqual(opens.map(({ id }) => id).toSorted((a, b) => a - b))
  expect(changes).toBe(expected.length)
  // Else nothing was tried. By dual-write a rival that stands still keeps the relay from the others for seconds.
  expect(opens.length).toBeGreaterThan(SECONDS / (MIRROR === 'dual-write' ? 60 : 8))
  expect(heard.filter((line) => line.startsWith('unexpected'))).toEqual([])
}

interface Entry {
  readonly side: Side
  /** Microseconds since 1970. */
  readonly at: number
  readonly id: number
}
