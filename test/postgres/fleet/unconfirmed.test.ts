// A gate that a member has is let go by nobody as long as the side in use has not confirmed the process.
import { once } from 'node:events'
import { afterAll, expect, it } from 'vitest'
import { CONFIRMED_MILLIS } from '../../../src/fleet/words.js'
import { fleet, routeOf, sideOf, until } from './member-fixture.js'

const f = await fleet()
/** In databases of its own: a fence that is left in doubt holds locks, for which everybody else would wait. */
const doubtful = await fleet()
afterAll(async () => {
  for (const one of [f, doubtful]) {
    await one.endAll()
    await one.drop()
  }
})

// Each waits for times of its own, so they wait together.
it.concurrent('keeps what it has promised to a coordinator, whatever the source says meanwhile', async () => {
  const played = await f.migration('shadow')
  const { cutover, source } = f.process(played.name)
  await cutover.ready()
  source.set('hold')
  await routeOf(cutover, 'held')
  await played.ask('hold')
  await played.answered('drained')
  await played.row('old', 1, 'fenced')
  await played.ask('stop-reads')
  await played.answered('stopped')
  const said = once(cutover, 'wish')
  source.set('shadow')
  await said
  expect(cutover.status()).toMatchObject({ route: 'held', side: 'old' })
  // Nor does a hold of the source take the coordinator's over.
  const refused = once(cutover, 'wish')
  source.set('hold')
  expect(await refused).toMatchObject([{ outcome: 'refused' }])
  source.set('shadow')
  const read = sideOf(cutover)
  await played.row('old', 1, 'moved')
  await played.row('new', 1, 'writer', { phase: 'live' })
  expect(await read).toBe('new')
})

it.concurrent("waits on after the source's hold where its confirmation ran out in it", async () => {
  const played = await f.migration('shadow')
  const { cutover, source, way } = await f.behind(played.name)
  await cutover.ready()
  source.set('hold')
  await routeOf(cutover, 'held')
  way.stall()
  await until(() => (cutover.status().fleet?.confirmedMillis === 0 ? true : undefined))
  const read = sideOf(cutover)
  const said = once(cutover, 'wish')
  source.set('shadow')
  await said
  expect(cutover.status()).toMatchObject({ route: 'held', waiting: 1 })
  await played.row('old', 1, 'moved', { lost: true })
  await played.row('new', 1, 'writer', { phase: 'live', lost: true })
  await way.resume()
  expect(await read).toBe('new')
})

it.concurrent('waits on where its own attempt cannot even be prepared, since its side does not answer', async () => {
  const played = await f.migration('shadow')
  const { cutover, way } = await f.behind(played.name, { prepareTimeoutMillis: CONFIRMED_MILLIS + 800 })
  await cutover.ready()
  cutover.on('step', ({ step, state }) => step === 'prepare' && state === 'started' && way.stall())
  const moving = cutover.advance('live').catch((error: unknown) => error)
  await routeOf(cutover, 'held')
  const read = sideOf(cutover)
  expect(await moving).toMatchObject({ name: 'CutoverError' })
  expect(cutover.status()).toMatchObject({ route: 'held', waiting: 1 })
  await way.resume()
  expect(await read).toBe('old')
})

it.concurrent('serves again by itself after an attempt of its own that was left in doubt', async () => {
  const played = await doubtful.migration('shadow')
  const { cutover, way } = await doubtful.behind(played.name, {
    holdTimeoutMillis: 600,
    drainTimeoutMillis: 200,
    fenceTimeoutMillis: 300,
    catchUpTimeoutMillis: 300,
  })
  await cutover.ready()
  cutover.on('step', ({ step, state }) => step === 'fence' && state === 'started' && way.stall())
  await expect(cutover.advance('live')).rejects.toMatchObject({ code: 'ERR_IN_DOUBT' })
  expect(cutover.status().route).toBe('held')
  await way.resume()
  await routeOf(cutover, 'direct')
  expect(await sideOf(cutover)).toBe('old')
  expect(await played.read('old')).toMatchObject({ status: 'writer', epoch: 1 })
})

it.concurrent('does not serve by a row that was left before it was listed', async () => {
  const played = await f.migration('shadow')
  // Somebody else decides in between.
  await played.m.control.old.run(`
    create function public.decide() returns trigger language plpgsql as $$ begin
      update cutover.side set epoch = 1, status = 'moved', target = 'live' where name = '${played.name}' and epoch = 0;
      return null;
    end $$;
    create trigger decide after insert on cutover.member for each row when (new.name = '${played.name}') execute function public.decide()`)
  const { cutover } = f.process(played.name)
  const sides: string[] = []
  cutover.on('route', ({ side }) => void sides.push(side))
  expect(await sideOf(cutover)).toBe('new')
  expect(sides).not.toContain('old')
  await played.m.control.old.run('drop function public.decide() cascade')
})

it.concurrent('gives a connection of the pool up that does not answer it, so that nothing waits for that for ever', async () => {
  const played = await f.migration('shadow')
  const { cutover, own, pool } = await f.behindTwo(played.name)
  await cutover.ready()
  expect(await sideOf(cutover)).toBe('old')
  const [idle] = cutover.pool.totalCount === 1 ? [cutover.pool.idleCount] : []
  expect(idle).toBe(1)
  own.stall()
  pool.stall()
  await until(() => (cutover.pool.idleCount === 0 ? true : undefined))
  await own.resume()
  await until(() => (cutover.status().route === 'direct' && cutover.pool.totalCount === 0 ? true : undefined))
})
