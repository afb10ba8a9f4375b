// Coordinated mode as an application has it: the source's hold, wishes that are followed by themselves, and a prompt end.
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, expect, it } from 'vitest'
import pg from 'pg'
import {
  createCutover,
  memorySource,
  type Cutover,
  type CutoverOptions,
  type MemorySource,
} from '../../../src/index.js'
import { freshDatabases } from '../../support/databases.js'
import { startProxy } from '../../support/proxy.js'

const databases = await freshDatabases()
const observers = {
  old: new pg.Client({ connectionString: databases.old }),
  new: new pg.Client({ connectionString: databases.new }),
}
for (const side of ['old', 'new'] as const) {
  await observers[side].connect()
  await observers[side].query('create table item (id int primary key, text text)')
}
await observers.old.query(`insert into item select i, 'text ' || i from generate_series(1, 100) i`)

const portOf = (url: string): number => Number(new URL(url).port)
const proxies = { old: await startProxy(portOf(databases.old)), new: await startProxy(portOf(databases.new)) }

let made: Cutover[] = []
afterEach(async () => {
  for (const cutover of made) await cutover.end()
  made = []
})
afterAll(async () => {
  await proxies.old.close()
  await proxies.new.close()
  await observers.old.end()
  await observers.new.end()
  await databases.drop()
})

function migrate(more: Partial<CutoverOptions> = {}): {
  cutover: Cutover
  source: MemorySource
} {
  const source = memorySource('old')
  const cutover = createCutover({
    name: `mode_${randomBytes(4).toString('hex')}`,
    // All ways to and from the old side, so that it can be made to vanish.
    old: { connectionString: proxies.old.url(databases.old) },
    new: { connectionString: databases.new },
    source,
    control: { newReachedBy: proxies.new.url(databases.new) },
    // Longer than the test may take, so that a hold which is only ended by its lease fails it.
    holdTimeoutMillis: 10_000,
    // Held calls are to be seen waiting, whatever they ask.
    heldReadsMax: 0,
    ...more,
  })
  made.push(cutover)
  return { cutover, source }
}

it(
  "ends the source's hold with its next word, be it the present phase again",
  { timeout: 8_000 },
  async () => {
    const { cutover, source } = migrate()
    await cutover.ready()
    const held = once(cutover, 'route')
    source.set('hold')
    expect(await held).toMatchObject([{ route: 'held', side: 'old' }])
    const waiting = cutover.pool.query('select count(*)::int as n from item')
    expect(cutover.status().waiting).toBe(1)
    source.set('old')
    expect((await waiting).rows).toEqual([{ n: 100 }])
  },
)

it("ends the source's hold with its lease, also before the migration has begun", async () => {
  const { cutover, source } = migrate({ holdTimeoutMillis: 200 })
  await cutover.ready()
  const held = once(cutover, 'route')
  source.set('hold')
  expect(await held).toMatchObject([{ route: 'held', side: 'old' }])
  expect((await cutover.pool.query('select count(*)::int as n from item')).rows).toEqual([{ n: 100 }])
  expect(cutover.status()).toMatchObject({ route: 'direct', source: { lastWish: 'hold' } })
})

it("does not end the hold at a side that was left when an earlier hold of the source's has run out", async () => {
  const { cutover, source } = migrate({ holdTimeoutMillis: 600, mirror: 'none', members: 'fence-only' })
  await cutover.ready()
  const held = once(cutover, 'route')
  source.set('hold')
  await held
  const leased = await cutover.pool.connect()
  try {
    const other = migrate({ name: cutover.name, mirror: 'none', members: 'fence-only' })
    // Held by the look at the rows, for as long as the leased client is out; perhaps before the other one is done.
    const heldAgain = once(cutover, 'route')
    await other.cutover.advance('new')
    await heldAgain
    expect(cutover.status()).toMatchObject({ route: 'held', side: 'old' })
    const followed = once(cutover, 'wish')
    source.set('old')
    await followed
    expect(cutover.status()).toMatchObject({ route: 'held', side: 'old' })
  } finally {
    leased.release()
  }
  const reached = await cutover.pool.query('select current_database() as name')
  expect(reached.rows).toEqual([{ name: new URL(databases.new).pathname.slice(1) }])
})

it('serves, and follows the source, when its databases are back that were away at its start', async () => {
  await proxies.old.refuse()
  const late = migrate()
  try {
    await expect(late.cutover.ready()).rejects.toMatchObject({ code: 'ERR_UNREACHABLE' })
    await expect(late.cutover.pool.query('select 1')).rejects.toMatchObject({ code: 'ERR_PHASE_UNKNOWN' })
    await expect(late.cutover.advance('mirror')).rejects.toMatchObject({ code: 'ERR_UNREACHABLE' })
    const refused = once(late.cutover, 'wish')
    late.source.set('hold')
    expect(await refused).toMatchObject([{ outcome: 'refused' }])
  } finally {
    await proxies.old.resume()
  }
  const phase = once(late.cutover, 'phase')
  const followed = once(late.cutover, 'wish')
  expect(await phase).toMatchObject([{ from: undefined, to: 'old' }])
  await late.cutover.ready()
  expect(await followed).toMatchObject([{ value: '"hold"', outcome: 'followed' }])
  late.source.set('old')
  expect((await late.cutover.pool.query('select count(*)::int as n from item')).rows).toEqual([{ n: 100 }])
})

it('ends at once while it looks for databases that are away', async () => {
  await proxies.old.refuse()
  try {
    const { cutover } = migrate()
    await expect(cutover.ready()).rejects.toMatchObject({ code: 'ERR_UNREACHABLE' })
    await cutover.end()
    expect(cutover.phase).toBeUndefined()
  } finally {
    await proxies.old.resume()
  }
})

it('shows a wish that it does not follow, and why', async () => {
  const { cutover, source } = migrate()
  await cutover.ready()
  const heard = new Promise((resolve) => {
    cutover.on('wish', (wish) => wish.value.includes('live') && resolve(wish))
  })
  source.set('live')
  expect(await heard).toMatchObject({ outcome: 'ignored', reason: expect.stringContaining('autoAdvance') })
  expect(cutover.status()).toMatchObject({ phase: 'old', source: { lastWish: 'live' } })
})

it('ends in the middle of the copy, goes on later by a wish alone, and in the last phase needs no old side', async () => {
  const first = migrate()
  await first.cutover.ready()
  let ended: Promise<void> | undefined
  first.cutover.on('progress', ({ done, total }) => {
    if (done < total) ended ??= first.cutover.end()
  })
  await expect(first.cutover.advance('mirror')).rejects.toMatchObject({ code: 'ERR_ENDED' })
  expect(ended).toBeDefined()
  await ended

  const { cutover, source } = migrate({ autoAdvance: true, name: first.cutover.name })
  await cutover.ready()
  expect(cutover.phase).toBe('old')
  // Its phase comes sooner, with the mirror still to be turned and the coordinator's lock to be given back.
  const live = new Promise((resolve) => {
    cutover.on('wish', ({ value, outcome }) => value === '"live"' && resolve(outcome))
  })
  source.set('live')
  expect(await live).toBe('followed')
  await cutover.pool.query(`insert into item values (1001, 'on the new side')`)
  expect((await observers.new.query('select count(*)::int as n from item')).rows).toEqual([{ n: 101 }])
  await expect(observers.old.query(`insert into item values (1002, 'rogue')`)).rejects.toMatchObject({
    code: '25006',
  })

  // The old server is switched off for good: the last phase does not need it.
  const warned = new Promise((resolve) => {
    cutover.on('warning', ({ code, message }) => code === 'MIRROR_NOT_DROPPED' && resolve(message))
  })
  for (const proxy of Object.values(proxies)) {
    await proxy.refuse()
    proxy.cut()
  }
  await cutover.advance('new')
  expect(cutover.phase).toBe('new')
  expect(await warned).toContain('old database')
  const slots = await observers.new.query(
    'select from pg_replication_slots where database = current_database()',
  )
  expect(slots.rows).toHaveLength(0)

  // It is switched on once more: the same move takes away what was left there.
  const subscriptions = `select from pg_subscription
    where subdbid = (select oid from pg_database where datname = current_database())`
  expect((await observers.old.query(subscriptions)).rows).toHaveLength(1)
  for (const proxy of Object.values(proxies)) await proxy.resume()
  await cutover.advance('new')
  expect((await observers.old.query(subscriptions)).rows).toHaveLength(0)

  expect(cutover.status()).toMatchObject({
    phaseFrom: 'row',
    source: {
      lastWish: 'live',
      whyNot: expect.stringContaining('the phase is "new" by other means') as string,
    },
  })
  const refused = new Promise((resolve) => {
    cutover.on('wish', ({ outcome, reason }) => outcome === 'refused' && resolve(reason))
  })
  source.set('shadow')
  expect(await refused).toContain('no way from it to "shadow"')
  expect(cutover.phase).toBe('new')
})
