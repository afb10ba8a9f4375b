// A read that differs for real keeps the right to write where it is: in the process that has seen it, in all others, and
// for a flag. On two servers with a mirror, and a row that somebody has changed behind its back.
import { once } from 'node:events'
import pg from 'pg'
import { afterAll, afterEach, expect, it } from 'vitest'
import { controlConnection } from '../../../src/control/control-connection.js'
import { SharedCounts } from '../../../src/cutover/shadow-store.js'
import { CutoverEvents, type EventMap } from '../../../src/events.js'
import {
  createCutover,
  memorySource,
  type Cutover,
  type CutoverOptions,
  type MemorySource,
} from '../../../src/index.js'
import { Book } from '../../../src/shadow/book.js'
import { run } from '../../cli/run.js'
import { freshDatabases } from '../../support/databases.js'

const databases = await freshDatabases()
const { name } = databases
const clients = {
  old: new pg.Client({ connectionString: databases.old }),
  new: new pg.Client({ connectionString: databases.new }),
}
for (const client of Object.values(clients)) {
  await client.connect()
  await client.query('create table item (id int primary key, note text)')
}
await clients.old.query(`insert into item select i, 'note ' || i from generate_series(1, 20) i`)

let made: Cutover[] = []
afterEach(async () => {
  await Promise.all(made.map((cutover) => cutover.end()))
  made = []
})
afterAll(async () => {
  await Promise.all([clients.old.end(), clients.new.end()])
  await databases.drop()
})

/** One process of the fleet. */
function member(more: Partial<CutoverOptions> = {}): { cutover: Cutover; source: MemorySource } {
  const source = memorySource()
  const cutover = createCutover({
    name,
    old: { connectionString: databases.old },
    new: { connectionString: databases.new },
    source,
    control: true,
    shadow: { rate: 1 },
    ...more,
  })
  made.push(cutover)
  return { cutover, source }
}

async function changeBehindTheMirror(note: string): Promise<void> {
  // The fence lets pass what an apply worker does.
  await clients.new.query(`set session_replication_role = 'replica'`)
  await clients.new.query('update item set note = $1 where id = 7', [note])
}

/** Reads until a difference is settled as real. */
async function findTheDifference(cutover: Cutover): Promise<void> {
  await expect
    .poll(
      async () => {
        await cutover.pool.query('select note from item where id = $1', [7])
        return cutover.shadow.totals().outcomes.real
      },
      { timeout: 20_000, interval: 20 },
    )
    .toBeGreaterThan(0)
}

/** What the command line shows of it. */
async function shown(): Promise<Record<string, unknown>> {
  const { exit, out } = await run(['shadow', '--name', name, '--json'], {
    OLD_DATABASE_URL: databases.old,
    NEW_DATABASE_URL: databases.new,
  })
  return { exit, ...(JSON.parse(out) as Record<string, unknown>) }
}

const refused = {
  code: 'ERR_MISMATCH',
  message: expect.stringMatching(/select note from item where id = \$1[^]*despite: 'mismatches'/),
  details: { real: expect.any(Number), statements: [{ text: 'select note from item where id = $1' }] },
}

it('refuses the new side as long as a read differs, unless told otherwise, and never the way back', async () => {
  const { cutover: finder } = member()
  await finder.ready()
  await finder.advance('mirror')
  await finder.advance('shadow')
  await changeBehindTheMirror('another note')
  await findTheDifference(finder)

  const routes: unknown[] = []
  finder.on('route', (event) => routes.push(event))
  await expect(finder.advance('live')).rejects.toMatchObject(refused)
  expect(finder.phase).toBe('shadow')
  // Refused before anything was held.
  expect(routes).toEqual([])
  // A phase of the same writer is not refused.
  await finder.advance('mirror')
  await finder.advance('shadow')
  // It saves what it has found when it ends, or within five seconds.
  await finder.end()

  const flagged = member({ autoAdvance: true })
  await flagged.cutover.ready()
  const wish = once(flagged.cutover, 'wish')
  flagged.source.set('live')
  expect(await wish).toMatchObject([
    { outcome: 'refused', reason: expect.stringContaining('differed for real') },
  ])
  expect(flagged.cutover.status()).toMatchObject({
    phase: 'shadow',
    source: { lastWish: 'live', whyNot: expect.stringContaining('differed for real') },
  })
  // A hold ends with the next word, also with one that is refused: what waits is not kept until the lease ends.
  const followed = once(flagged.cutover, 'wish')
  flagged.source.set('hold')
  expect(await followed).toMatchObject([{ outcome: 'followed' }])
  expect(flagged.cutover.status().route).toBe('held')
  const refusedAgain = once(flagged.cutover, 'wish')
  flagged.source.set('live')
  expect(await refusedAgain).toMatchObject([{ outcome: 'refused' }])
  expect(flagged.cutover.status()).toMatchObject({ route: 'direct', phase: 'shadow' })
  await flagged.cutover.end()

  const { cutover: other } = member()
  await other.ready()
  expect(other.shadow.totals().outcomes.real).toBe(0)
  await expect(other.advance('live')).rejects.toMatchObject(refused)
  await expect(other.advance('new')).rejects.toMatchObject({ code: 'ERR_MISMATCH' })
  expect(await other.advance('live', { despite: 'mismatches' })).toMatchObject({ outcome: 'done' })
  expect(await other.rollback()).toMatchObject({ outcome: 'done' })
  expect(await shown()).toMatchObject({ exit: 1, outcomes: { real: expect.any(Number) } })
  await other.shadow.reset()
  expect(await shown()).toMatchObject({ exit: 0, outcomes: { real: 0 } })
})

it('goes by what this process has found where the databases cannot be asked', async () => {
  const control = {
    old: controlConnection({ side: 'old', config: { host: '127.0.0.1', port: 1, user: 'x' } }),
    new: controlConnection({ side: 'new', config: { host: '127.0.0.1', port: 1, user: 'x' } }),
  }
  const counting = new Book()
  const events = new CutoverEvents()
  const warnings: EventMap['warning'][0][] = []
  events.on('warning', (warning) => warnings.push(warning))
  const shared = new SharedCounts({
    name,
    events,
    counting,
    control,
    writer: () => 'old',
    atRest: () => true,
  })
  await shared.assertEqual('shadow', 'live')
  expect(warnings).toMatchObject([{ code: 'SHADOW', message: expect.stringContaining('ECONNREFUSED') }])
  counting.add({
    fingerprint: 'aa',
    text: 'select 1',
    outcome: 'real',
    millis: { old: 1, new: 1 },
    mismatch: { detail: 'it differs', keys: { old: [], new: [] } },
  })
  await expect(shared.assertEqual('shadow', 'live')).rejects.toMatchObject({ code: 'ERR_MISMATCH' })
  await shared.assertEqual('live', 'shadow')
  await shared.assertEqual('mirror', 'shadow')
})
