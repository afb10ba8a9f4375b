// What a member may serve by: it was told within two seconds that its side still writes, or it asks before it serves on.
import { afterAll, expect, it } from 'vitest'
import { memberGrants } from '../../../src/control/grants.js'
import { leave } from '../../../src/fleet/roster.js'
import { CONFIRMED_MILLIS } from '../../../src/fleet/words.js'
import { fleet, routeOf, sideOf, until } from './member-fixture.js'

const f = await fleet()
afterAll(async () => {
  await f.endAll()
  await f.drop()
})

it('asks before it reads when it has stood still, since it wakes with its sockets first', async () => {
  const played = await f.migration('shadow')
  const ways = { old: await f.proxyTo('old'), new: await f.proxyTo('new') }
  const { cutover } = f.process(played.name, {
    control: { old: ways.old.url(f.databases.old), new: ways.new.url(f.databases.new) },
  })
  await cutover.ready()
  expect(await sideOf(cutover)).toBe('old')
  // So that it hears of nothing before it stands still.
  ways.old.stall()
  ways.new.stall()
  await played.row('new', 1, 'writer', { phase: 'live', lost: true })
  await played.row('old', 1, 'moved', { lost: true })
  expect(cutover.status()).toMatchObject({ side: 'old', route: 'direct' })
  // As SIGSTOP would: no timer and no socket is served meanwhile.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, CONFIRMED_MILLIS + 20)
  const read = sideOf(cutover)
  expect(cutover.status()).toMatchObject({ side: 'old', route: 'held', fleet: { confirmedMillis: 0 } })
  await Promise.all([ways.old.resume(), ways.new.resume()])
  expect(await read).toBe('new')
})

// Each waits for times of its own, so they wait together.
it.concurrent('asks over its pool while its own connection hangs, and waits where neither answers', async () => {
  const played = await f.migration('shadow')
  const { cutover, own, pool } = await f.behindTwo(played.name)
  await cutover.ready()
  own.stall()
  const [before] = await played.roster('old')
  // Told by nobody but the pool: a second time, so that the first was not under way before.
  await until(async () => {
    const [member] = await played.roster('old')
    return member && before && member.beat >= before.beat + 2 ? true : undefined
  })
  expect(cutover.status()).toMatchObject({ route: 'direct' })
  const held = routeOf(cutover, 'held')
  pool.stall()
  await held
  const read = sideOf(cutover)
  await own.resume()
  // One of the two is enough.
  expect(cutover.status().waiting).toBe(1)
  await pool.resume()
  expect(await read).toBe('old')
  expect(cutover.status().route).toBe('direct')
})

it.concurrent('does not hold what a server that is down refuses by itself', async () => {
  const played = await f.migration('shadow')
  const { cutover, way } = await f.behind(played.name)
  cutover.pool.on('error', () => {})
  await cutover.ready()
  expect(await sideOf(cutover)).toBe('old')
  await way.refuse()
  way.cut()
  await until(() => (cutover.status().fleet?.confirmedMillis === 0 ? true : undefined))
  await until(() => (cutover.status().route === 'direct' ? true : undefined))
  await expect(sideOf(cutover)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  await way.resume()
  await until(() => ((cutover.status().fleet?.confirmedMillis ?? 0) > 0 ? true : undefined))
  expect(await sideOf(cutover)).toBe('old')
})

it.concurrent('joins again where a coordinator has left it out, before it is confirmed by anything', async () => {
  const played = await f.migration('shadow')
  const { cutover } = f.process(played.name)
  await cutover.ready()
  const [first] = await played.roster('old')
  expect(await leave(played.m.control.old.run, played.name, first?.member ?? '')).toBe(true)
  const [again] = await until(async () => {
    const roster = await played.roster('old')
    return roster.length > 0 ? roster : undefined
  })
  expect(again).toMatchObject({ member: first?.member })
  expect(again?.joined).not.toBe(first?.joined)
})

it('is a member with the rights that memberGrants names, and says what is missing without them', async () => {
  const played = await f.migration('shadow')
  const role = `app_${played.name}`
  for (const side of ['old', 'new'] as const)
    await played.m.control[side].run(
      `create role ${role} login password 'app'; grant usage on schema cutover to ${role};
       grant select, update on cutover.side to ${role}; grant select, update on public.marker to ${role}`,
    )
  const asRole = (url: string): { connectionString: string } => {
    const its = new URL(url)
    its.username = role
    its.password = 'app'
    return { connectionString: its.href }
  }
  const options = { old: asRole(f.databases.old), new: asRole(f.databases.new) }
  try {
    const { cutover: refused } = f.process(played.name, options)
    await expect(refused.ready()).rejects.toMatchObject({
      code: '42501',
      message: /permission denied for table/,
    })
    await refused.end()
    for (const side of ['old', 'new'] as const)
      for (const grant of memberGrants(role)) await played.m.control[side].run(grant)
    const { cutover } = f.process(played.name, options)
    await cutover.ready()
    await played.ask('arm')
    await played.answered('armed')
    await played.ask('hold')
    await played.answered('drained')
    await played.row('old', 1, 'moved')
    await played.row('new', 1, 'writer', { phase: 'live' })
    await cutover.pool.query('update marker set side = side')
    expect(await sideOf(cutover)).toBe('new')
  } finally {
    await f.endAll()
    for (const side of ['old', 'new'] as const)
      await played.m.control[side].run(`drop owned by ${role}; drop role ${role}`)
  }
})
