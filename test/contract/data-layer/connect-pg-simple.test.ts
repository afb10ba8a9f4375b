// connect-pg-simple through its example: a session outlives the move, and is pruned where the traffic is.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, get, type IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { afterAll, expect, it } from 'vitest'
import { openSessions } from '../../../examples/connect-pg-simple.js'
import { createCutover, memorySource } from '../../../src/index.js'
import { sides } from '../../postgres/pool/fixture.js'

const { observe, until, urls } = await sides()
const require = createRequire(import.meta.url)
const table = readFileSync(require.resolve('connect-pg-simple/table.sql'), 'utf8')
for (const side of ['old', 'new'] as const) await observe(side, table)

const cutover = createCutover({
  name: 'sessions',
  old: { connectionString: urls.old, max: 4 },
  new: { connectionString: urls.new, max: 4 },
  source: memorySource('old'),
})
// Often enough for a test to see it.
const sessions = openSessions(cutover, 'a secret', 0.02)
const app = express()
  .use(sessions.handler)
  .get('/login', (request, response) => {
    request.session['user'] = 'ada'
    response.json('welcome')
  })
  .get('/', (request, response) => response.json(request.session['user'] ?? 'nobody'))
const server = createServer(app).listen(0, '127.0.0.1')
await once(server, 'listening')
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve))
  await cutover.end()
})

async function ask(
  path: string,
  cookie?: string,
): Promise<{ readonly body: unknown; readonly cookie?: string }> {
  const { port } = server.address() as AddressInfo
  const headers = cookie === undefined ? {} : { cookie }
  const request = get({ host: '127.0.0.1', port, path, headers, agent: false })
  const [answer] = (await once(request, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer)
  const given = answer.headers['set-cookie']?.[0]?.split(';')[0]
  return {
    body: JSON.parse(Buffer.concat(chunks).toString()),
    ...(given === undefined ? {} : { cookie: given }),
  }
}

const EXPIRED = `insert into session values ('expired', '{}', '2001-01-01')`
const pruned = (side: 'old' | 'new'): Promise<void> =>
  until(side, `not exists (select from session where sid = 'expired')`)

it('keeps who is logged in through a move, prunes where the traffic is, and ends its own pool alone', async () => {
  const { cookie } = await ask('/login')
  expect(cookie).toContain('connect.sid')
  expect(await ask('/', cookie)).toEqual({ body: 'ada' })
  expect(await ask('/')).toMatchObject({ body: 'nobody' })
  await observe('old', EXPIRED)
  await pruned('old')

  // In place of a mirror, and the old side may say nothing any more.
  const rows = await observe('old', `delete from session returning sid, sess, expire::text`)
  for (const { sid, sess, expire } of rows)
    await observe('new', 'insert into session values ($1, $2, $3)', [sid, sess, expire])
  await cutover.advance('live')
  expect(await ask('/', cookie)).toEqual({ body: 'ada' })
  await observe('old', EXPIRED)
  await observe('new', EXPIRED)
  await pruned('new')
  expect(await observe('old', 'select sid from session')).toEqual([{ sid: 'expired' }])

  await sessions.close()
  const { rows: left } = await cutover.pool.query<{ n: number }>('select count(*)::int as n from session')
  expect(left).toEqual([{ n: 1 }])
  // The session cannot be read any more, since its pool has ended; nobody else's has.
  await expect(cutover.createPool().query('select')).resolves.toMatchObject({ rowCount: 1 })
})
