// A client that was out when the hold began may still stream a table out: watching it must not be seen by pg-copy-streams.
import { expect, it } from 'vitest'
import { to as copyTo } from 'pg-copy-streams'
import { flip, lease, sides, sideOf } from './fixture.js'

const { drive } = await sides()

it('lets a leased client begin COPY TO STDOUT during a drain', async () => {
  const { core, pool } = drive()
  const client = await pool.connect()
  await client.query('begin')
  core.hold(lease())
  const drained = core.drain(5_000)
  const rows: string[] = []
  for await (const chunk of client.query(copyTo('copy marker to stdout'))) rows.push(String(chunk))
  expect(rows.join('')).toBe('old\n')
  await client.query('commit')
  client.release()
  await drained
  core.release('new')
  expect(await sideOf(pool)).toBe('new')
})

it('leaves no trace on the connections of a side after the hold', async () => {
  const { core, pool } = drive()
  const client = await pool.connect()
  const before = client.connection.listenerCount('message')
  core.hold(lease())
  const drained = core.drain(5_000)
  expect(client.connection.listenerCount('message')).toBe(before + 1)
  client.release()
  await drained
  expect(client.connection).toMatchObject({ _emitMessage: false })
  expect(client.connection.listenerCount('message')).toBe(before)
  core.release('old')
  await flip(core, 'new')
})
