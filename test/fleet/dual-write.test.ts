// Random work under random failures by dual-write: whatever the sides do not agree on is on record, and in the end they agree.
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Migration } from '../../src/control/migration.js'
import { readSide, setPhase } from '../../src/control/side-row.js'
import { beginMirror } from '../../src/coordinator/begin-mirror.js'
import { changeWriter } from '../../src/coordinator/coordinator.js'
import { recover } from '../../src/coordinator/recover.js'
import { isCutoverError } from '../../src/errors.js'
import { otherSide } from '../../src/phase/phases.js'
import type { Side } from '../../src/phase/phases.js'
import { migrationOver } from '../postgres/protocol/fixture.js'
import { freshDatabases } from '../support/databases.js'
import { startProxy } from '../support/proxy.js'
import { startPair } from '../support/servers.js'
import type { Pair } from '../support/servers.js'
import { Auditor } from './dual-write-audit.js'
import { Fleet } from './dual-write-fleet.js'
import { MAPPED, ROWS, SCHEMAS, TABLES, WATCH } from './dual-write-tables.js'
import { seededRandom } from '../support/seeded-random.js'

const SECONDS = Number(process.env['DUAL_WRITE_SECONDS'] ?? 4)
const SEED = Number(process.env['DUAL_WRITE_SEED'] ?? Date.now() % 1_000_000)
/** Servers of its own, which crash now and then: those of the other tests must not. */
const CRASHES = SECONDS >= 60
/** The writer changes again and again; else once. */
const MOVES = SECONDS >= 15
const SIDES = ['old', 'new'] as const
const WRITERS = 2
const CLIENTS = 2
const TIMINGS = { prepareTimeoutMillis: MOVES ? 20_000 : 4_000, holdTimeoutMillis: 3_000 } as const

interface Place {
  readonly name: string
  readonly urls: Readonly<Record<Side, string>>
  readonly pair: Pair | undefined
  drop(): Promise<void>
}

async function place(): Promise<Place> {
  if (!CRASHES) {
    const databases = await freshDatabases()
    return { name: databases.name, urls: databases, pair: undefined, drop: () => databases.drop() }
  }
  const pair = await startPair()
  const urls = { old: pair.old.url(), new: pair.new.url() }
  return { name: 'soak', urls, pair, drop: () => pair.destroy() }
}

it(
  `each row that differs is on record at every moment, and none differs in the end (${SECONDS} s, seed ${SEED})`,
  async () => {
    const random = seededRandom(SEED)
    const at = await place()
    const proxies = {
      old: await startProxy(Number(new URL(at.urls.old).port)),
      new: await startProxy(Number(new URL(at.urls.new).port)),
    }
    const m = withMapping(migrationOver(at.name, at.urls, { ...OPTIONS, attempts: 3, timings: TIMINGS }))
    const auditor = new Auditor(at.name, at.urls)
    // Of its own: what it asks must not come in between.
    const hands = new Auditor(at.name, at.urls)
    const fleet = new Fleet(at.name, hands, random)
    const stop = new AbortController()
    try {
      await prepare(m, fleet.acknowledged)
      const settings = {
        batchRows: 60 + Math.floor(random() ** 2 * 1_500),
        batchBytes: 3_000 + Math.floor(random() ** 2 * 200_000),
      }
      const seed = Math.floor(random() * 2 ** 30)
      const throughProxies = { old: proxies.old.url(at.urls.old), new: proxies.new.url(at.urls.new) }
      for (let nr = 0; nr < 2; nr++)
        fleet.start({
          kind: 'relay',
          order: { name: at.name, urls: throughProxies, seed: seed + nr, ...settings },
        })
      await beginMirror(m, 'old', 'old')
      for (const side of SIDES) await m.control[side].run(WATCH)
      const row = await readSide(m.control.old, m.name)
      if (!row || !(await setPhase(m.control.old, m.name, row, 'shadow'))) throw new Error('no phase was set')
      for (let nr = 0; nr <= WRITERS; nr++)
        fleet.start({
          kind: 'writer',
          order: {
            name: at.name,
            urls: at.urls,
            seed: seed + 50 + nr,
            writers: Array.from({ length: CLIENTS }, (_, client) => nr * CLIENTS + client),
            facade: nr === WRITERS,
            pauseMillis: MOVES ? 16 : 40,
          },
        })
      const violations: string[] = []
      let moving = false
      const moveOnce = async (): Promise<void> => {
        moving = true
        await move(m, fleet)
        moving = false
      }
      const work = [
        every(
          stop.signal,
          () => 100 + random() * 500,
          () => (moving && random() < 0.7 ? Promise.resolve() : fleet.disturb(proxies)),
        ),
        every(
          stop.signal,
          () => 100 + random() * 200,
          () => sample(auditor, fleet, violations),
        ),
      ]
      if (MOVES) work.push(every(stop.signal, () => 2_000 + random() * 6_000, moveOnce))
      if (at.pair) {
        const { pair } = at
        work.push(
          every(
            stop.signal,
            () => 10_000 + random() * 20_000,
            () => crash(pair, random, fleet),
          ),
        )
      }
      await Promise.race([delay(SECONDS * 1_000), ...work])
      stop.abort()
      await Promise.all(work)
      for (const side of SIDES) await proxies[side].resume()
      // Under load, and without failures but those that processes have of themselves.
      await moveOnce()
      for (let nr = 0; nr < 3; nr++) await fleet.disturb(proxies)
      await sample(auditor, fleet, violations)
      await fleet.end('writer')
      await recover(m)
      await judge(m, auditor, fleet, violations)
    } finally {
      stop.abort()
      await fleet.end('writer')
      await fleet.end('relay')
      await auditor.end()
      await hands.end()
      for (const side of SIDES) await proxies[side].close()
      await Promise.all(SIDES.map((side) => m.control[side].close()))
      await at.drop()
    }
  },
  (SECONDS + 60) * 1_000,
)

const OPTIONS = { mirror: 'dual-write', tables: TABLES.map(({ old }) => old) } as const

const withMapping = (m: Migration): Migration => ({ ...m, dualWrite: { ...m.dualWrite, mapped: MAPPED } })

async function prepare(m: Migration, acknowledged: Map<number, number>): Promise<void> {
  for (const side of SIDES)
    await m.control[side].run(`set search_path = public; ${SCHEMAS[side]}; set search_path = pg_catalog`)
  const writers = Array.from({ length: (WRITERS + 1) * CLIENTS }, (_, nr) => nr)
  for (const writer of writers) acknowledged.set(writer, 0)
  await m.control.old.run(
    `set search_path = public; ${ROWS}; insert into acknowledged select i, 0 from generate_series(0, ${writers.length - 1}) i;
     set search_path = pg_catalog`,
  )
}

async function every(signal: AbortSignal, millis: () => number, act: () => Promise<void>): Promise<void> {
  for (;;) {
    await delay(millis(), undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    await act()
  }
}

async function sample(auditor: Auditor, fleet: Fleet, violations: string[]): Promise<void> {
  try {
    const found = await auditor.look()
    if (!found) return fleet.count('looks in vain')
    fleet.count('looks')
    fleet.count('rows on their way', found.pending)
    violations.push(...found.violations)
  } catch (error) {
    // Somebody held a lock for longer, or a server was away: it is looked again.
    fleet.count('looks given up')
    if (!CRASHES && !(error instanceof Error && 'code' in error)) throw error
  }
}

async function move(m: Migration, fleet: Fleet): Promise<void> {
  try {
    const rows = await Promise.all(SIDES.map((side) => readSide(m.control[side], m.name)))
    const writer = rows.find((row) => row?.status === 'writer')
    if (!writer) {
      await recover(m)
      return
    }
    await changeWriter(m, otherSide(writer.side), writer.side === 'old' ? 'live' : 'shadow', {
      // It would find the triggers of our own.
      preflight: false,
    })
    fleet.count('changes of writer')
  } catch (error) {
    if (isCutoverError(error)) fleet.count(`change of writer: ${error.code}`)
    else if (error instanceof Error && ('code' in error || /terminated|timeout/.test(error.message)))
      fleet.count('change of writer: connection lost')
    else throw error
  }
}

async function crash(pair: Pair, random: () => number, fleet: Fleet): Promise<void> {
  const server = pair[random() < 0.5 ? 'old' : 'new']
  await server.stop(random() < 0.7 ? 'immediate' : 'fast')
  await delay(random() * 2_000)
  await server.start()
  fleet.count('crashes of a server')
}

async function judge(
  m: Migration,
  auditor: Auditor,
  fleet: Fleet,
  violations: readonly string[],
): Promise<void> {
  const deadline = performance.now() + 25_000
  let last = await auditor.look()
  while (performance.now() < deadline && (!last || last.onRecord + last.pending + last.unfinished > 0)) {
    await delay(20)
    last = await auditor.look()
  }
  const side = (await readSide(m.control.old, m.name))?.status === 'writer' ? 'old' : 'new'
  const stuck = await auditor.query(side, 'select table_name, key, message from cutover.stuck')
  const done = await auditor.query<{ writer: number; nr: number }>(
    side,
    'select writer, nr::int from public.acknowledged',
  )
  const lost = done.filter(({ writer, nr }) => nr < (fleet.acknowledged.get(writer) ?? 0))
  const backwards = []
  let generations = 0
  for (const one of SIDES) {
    backwards.push(
      ...(await auditor.query(one, `select '${one}' as side, id, was, now from watch.backwards`)),
    )
    const [row] = await auditor.query<{ leads: number }>(
      one,
      'select relay_generation::int as leads from cutover.side',
    )
    generations += row?.leads ?? 0
  }
  fleet.count('leads', generations)
  const counts = [...fleet.counts].map(([what, number]) => `${number} ${what}`).toSorted()
  console.log(`seed ${SEED}: ${counts.join(', ')}, ${violations.length} violations`)
  expect(violations.slice(0, 5), `${violations.length} rows that differ and are not on record`).toEqual([])
  expect(backwards.slice(0, 5), 'overwritten by something older').toEqual([])
  expect(lost, 'acknowledged and lost').toEqual([])
  expect(stuck).toEqual([])
  expect(last).toEqual({ violations: [], pending: 0, onRecord: 0, unfinished: 0 })
  expect([...fleet.counts.keys()].filter((what) => what.startsWith('unexpected'))).toEqual([])
  // Else nothing was tried.
  for (const what of ['transactions', 'looks', 'leads', ...(MOVES ? ['changes of writer'] : [])])
    expect(fleet.counts.get(what) ?? 0, what).toBeGreaterThan(0)
}
