// A process as a member of the fleet follows the coordinator of another process, and is never left behind by it.
import { afterAll, afterEach, expect, it } from 'vitest'
import { fleet, routeOf, sideOf, until } from './member-fixture.js'

const f = await fleet()
afterEach(() => f.endAll())
afterAll(() => f.drop())

const names = { old: f.databases.name, new: f.databases.name }

it('is listed where it serves, and leaves as it ends', async () => {
  const played = await f.migration()
  const { cutover } = f.process(played.name, {
    old: { connectionString: f.databases.old, application_name: 'orders' },
  })
  await cutover.ready()
  expect(await played.roster('old')).toMatchObject([
    { service: 'orders', pid: process.pid, side: 'old', phase: 'old', epoch: 0, said: undefined },
  ])
  expect(cutover.status().fleet).toMatchObject({ listed: true })
  expect(cutover.status().fleet?.confirmedMillis).toBeGreaterThan(0)
  const client = await cutover.pool.connect()
  const [busy] = await until(async () => {
    const roster = await played.roster('old')
    return roster[0]?.inFlight === 1 && roster[0].oldestMillis !== null ? roster : undefined
  })
  expect(busy?.backends).toHaveLength(1)
  client.release()
  await cutover.end()
  expect(await played.roster('old')).toEqual([])
})

it('gets ready, holds, drains, stops its reads and goes over, and answers each', async () => {
  const played = await f.migration('shadow')
  const { cutover } = f.process(played.name)
  await cutover.ready()
  expect(await sideOf(cutover)).toBe('old')
  await played.ask('arm')
  await played.answered('armed')
  expect(cutover.status().route).toBe('armed')
  // It is known on the other side before that is opened.
  expect(await played.roster('new')).toHaveLength(1)
  await played.ask('hold')
  await played.answered('drained')
  const write = cutover.pool.query('update marker set side = side')
  expect(await sideOf(cutover)).toBe('old')
  await played.row('old', 1, 'fenced')
  await played.ask('stop-reads')
  await played.answered('stopped')
  const read = sideOf(cutover)
  await played.row('old', 1, 'moved')
  expect(cutover.status()).toMatchObject({ route: 'held', side: 'old' })
  await played.row('new', 1, 'writer', { phase: 'live' })
  expect(await read).toBe('new')
  await write
  expect(cutover.status()).toMatchObject({ phase: 'live', epoch: 1, side: 'new' })
  await until(async () => ((await played.roster('old')).length === 0 ? true : undefined))
  // A session is there for a moment after its client has gone.
  const left = () =>
    played.m.control.old.run(
      `select from pg_stat_activity where datname = $1 and application_name = '' and backend_type = 'client backend'`,
      [names.old],
    )
  await expect.poll(left).toEqual([])
})

it('says one word where nothing was under way, and two where something was', async () => {
  const played = await f.migration('shadow')
  const { cutover } = f.process(played.name)
  await cutover.ready()
  const client = await cutover.pool.connect()
  await played.ask('arm')
  await played.answered('armed')
  await played.ask('hold')
  await played.answered('held')
  client.release()
  await played.answered('drained')
})

it('goes on where it was when the attempt is over', async () => {
  const played = await f.migration('shadow')
  const { cutover } = f.process(played.name)
  await cutover.ready()
  await played.ask('arm')
  await played.answered('armed')
  await played.ask('over')
  await routeOf(cutover, 'direct')
  await played.ask('arm')
  await played.answered('armed')
  await played.ask('hold')
  await played.answered('drained')
  const write = cutover.pool.query('update marker set side = side')
  await played.ask('over', { outcome: 'aborted', reason: 'a lock' })
  await write
  await routeOf(cutover, 'direct')
  expect(await played.read('old')).toMatchObject({ epoch: 0, status: 'writer' })
})

it('ends a hold by itself, and with it the attempt, when its lease is over', async () => {
  const played = await f.migration('shadow')
  const { cutover } = f.process(played.name, { holdTimeoutMillis: 300, drainTimeoutMillis: 200 })
  await cutover.ready()
  await played.ask('hold')
  await played.answered('drained')
  const write = cutover.pool.query('update marker set side = side')
  // A fence that comes after it finds no row.
  await write
  expect(await played.read('old')).toMatchObject({ epoch: 1, status: 'writer', opened: 1 })
  expect(cutover.status().side).toBe('old')
})

it('lifts the fence of a coordinator that has died, and completes what it has decided', async () => {
  const played = await f.migration('shadow')
  // Within its lease the process must have been told what its coordinator has decided.
  const { cutover } = f.process(played.name, { holdTimeoutMillis: 1_000, drainTimeoutMillis: 200 })
  await cutover.ready()
  await played.ask('hold')
  await played.row('old', 1, 'fenced')
  await cutover.pool.query('update marker set side = side')
  expect(await played.read('old')).toMatchObject({ epoch: 1, status: 'writer' })
  await played.ask('over')
  await played.ask('hold', { epoch: 2 })
  await played.answered('drained')
  await played.row('old', 2, 'moved')
  await cutover.pool.query('update marker set side = side')
  expect(await sideOf(cutover)).toBe('new')
  expect(await played.read('new')).toMatchObject({ epoch: 2, status: 'writer' })
})

it('finds a call whose announcement was lost, and joins in the middle', async () => {
  const played = await f.migration('shadow')
  await played.ask('hold')
  const { cutover } = f.process(played.name)
  await cutover.ready()
  await played.answered('drained')
  // Nobody is told of these.
  await played.m.control.old.run(`update cutover.call set stage = 'stop-reads' where name = $1`, [
    played.name,
  ])
  await played.answered('stopped')
  await played.row('old', 1, 'moved', { lost: true })
  await played.row('new', 1, 'writer', { lost: true, phase: 'live' })
  expect(await sideOf(cutover)).toBe('new')
})

it('says what keeps it from draining, without a statement', async () => {
  const played = await f.migration('shadow')
  const { cutover } = f.process(played.name, { drainTimeoutMillis: 50 })
  await cutover.ready()
  const client = await cutover.pool.connect()
  await client.query('begin')
  await client.query(`select 'a secret of a user'`)
  await played.ask('hold')
  const { reason } = await played.answered('failed')
  expect(reason).toContain('1 clients of this process were still at work')
  expect(reason).not.toContain('secret')
  await played.ask('over')
  await client.query('rollback')
  client.release()
  expect(await sideOf(cutover)).toBe('old')
})

it('goes back to rest when nothing more comes after it was armed', async () => {
  const played = await f.migration('shadow')
  const { cutover } = f.process(played.name, { prepareTimeoutMillis: 150 })
  await cutover.ready()
  const armed = routeOf(cutover, 'armed')
  await played.ask('arm')
  await armed
  await routeOf(cutover, 'direct')
  expect(await played.answered('failed')).toMatchObject({
    reason: expect.stringContaining('nothing was heard'),
  })
})

it('stops supervised parts before it is armed, and starts them where the traffic then is', async () => {
  const played = await f.migration('shadow')
  const { cutover } = f.process(played.name)
  await cutover.ready()
  const log: string[] = []
  await cutover.supervise({
    name: 'jobs',
    start: (side) => void log.push(`start ${side}`),
    stop: () => void log.push('stop'),
  })
  await played.ask('arm')
  await played.answered('armed')
  expect(log).toEqual(['start old', 'stop'])
  await played.ask('hold')
  await played.answered('drained')
  await played.row('old', 1, 'moved')
  await played.row('new', 1, 'writer', { phase: 'live' })
  await until(() => (log.length === 3 ? true : undefined))
  expect(log.at(-1)).toBe('start new')
})

it('goes where the rows say that nobody has told it of, in both directions', async () => {
  const played = await f.migration('shadow')
  const { cutover } = f.process(played.name)
  await cutover.ready()
  await played.row('old', 1, 'moved', { lost: true })
  await played.row('new', 1, 'writer', { phase: 'live' })
  await until(() => (cutover.status().side === 'new' ? true : undefined))
  expect(await sideOf(cutover)).toBe('new')
  await played.row('new', 2, 'moved', { lost: true })
  await played.row('old', 2, 'writer', { phase: 'shadow' })
  await until(() => (cutover.status().side === 'old' ? true : undefined))
  expect(cutover.status()).toMatchObject({ phase: 'shadow', epoch: 2 })
  expect(await sideOf(cutover)).toBe('old')
})
