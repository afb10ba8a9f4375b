// The parts of the benchmark of dual-write that its figures rest on.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { expect, it, vi } from 'vitest'
import { callers, CALLERS } from '../../bench/dual-write/callers.js'
import { delayed } from '../../bench/dual-write/delayed.js'
import { idsIn } from '../../bench/dual-write/heard.js'
import { onPairs } from '../../bench/on-pairs.js'
import { isMet, line, median, ratio, throughput } from '../../bench/outcome.js'
import { preparedWrite, writeText } from '../../src/dual-write/write-rows.js'

const pair = { difference: 5, low: 0, high: 10, medianA: 20, medianB: 25, costsA: [20], costsB: [25] }
const same = { difference: 1, low: 0, high: 2, medianA: 20, medianB: 21, costsA: [20], costsB: [21] }

it('tells a cost in those of the other, and a throughput the other way round', () => {
  expect(ratio('a', pair, same)).toEqual({
    what: 'a',
    unit: '×',
    measured: 1.25,
    middleHalf: [1, 1.5],
    same: 1.05,
  })
  expect(throughput('a', pair)).toEqual({
    what: 'a',
    unit: '×',
    measured: 0.8,
    middleHalf: [0.6667, 1],
  })
})

it.each([
  [{ most: 4 }, false, 'at most 4 | NO'],
  [{ most: 5 }, true, 'at most 5 | yes'],
  [{ least: 5 }, true, 'at least 5 | yes'],
  [{ least: 6 }, false, 'at least 6 | NO'],
  [{}, undefined, ' | '],
])('says whether a limit of %o is met', (bound, met, cells) => {
  const outcome = median('rate', 'rows/s', [9, 5, 1], bound)
  expect(isMet(outcome)).toBe(met)
  expect(line(outcome)).toBe(`| rate | 5 rows/s | 1 to 9 |  | ${cells} |`)
})

it('asks again for each caller until all calls are made', async () => {
  let under = 0
  let most = 0
  const asked = new Set<number>()
  const waited = await callers(100, async (nr) => {
    most = Math.max(most, ++under)
    asked.add(nr)
    await new Promise((resolve) => setImmediate(resolve))
    under--
  })
  expect({ most, asked: asked.size }).toEqual({ most: CALLERS, asked: 100 })
  expect(waited.p99).toBeGreaterThanOrEqual(waited.p50)
})

it('hears which rows a relay writes', () => {
  const column = { readType: 'integer', writeType: 'integer', listed: true }
  const at = { oid: 1, schema: 'public', name: 'item', only: true, partitioned: false }
  const id = { ...column, name: 'id' }
  const table = {
    from: at,
    to: at,
    key: [{ ...id, readOperators: 'pg_catalog', writeOperators: 'pg_catalog' }],
    columns: [id, { ...column, name: 'n' }],
    leftOut: [],
    write: 'upsert',
  } as const
  const batch = { table, taken: 3, gone: '{4}', rows: 2, columns: ['{7,8}', '{1,2}'], bytes: 20 }
  const guard = { name: 'bench', side: 'new', generation: 1 } as const
  expect(idsIn(writeText(guard, [batch], 'usual'))).toEqual([7, 8])
  expect(idsIn(preparedWrite(guard, [batch]).text)).toEqual([7, 8])
  expect(idsIn('insert into item values ($1, 0, $2)')).toBeUndefined()
})

it('a delay keeps the order of what it passes on, and its end', async () => {
  const server = createServer((socket) => void socket.pipe(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const far = await delayed(port, 20)
  const client = connect(Number(new URL(far.url(`postgres://127.0.0.1:${port}/`)).port), '127.0.0.1')
  const began = performance.now()
  client.write('one ')
  client.write('two ')
  client.end('three')
  let received = ''
  client.on('data', (bytes) => (received += String(bytes)))
  await once(client, 'end')
  expect(received).toBe('one two three')
  // A timer may end a millisecond before its time.
  expect(performance.now() - began).toBeGreaterThan(18)
  await far.close()
  server.close()
  await once(server, 'close')
})

it('refuses a part that there is not before it runs any', async () => {
  const part = {
    title: 'a',
    how: () => ['b'],
    settings: {},
    run: () => Promise.reject(new Error('it was run')),
  }
  vi.stubEnv('BENCH_PART', 'capture,captures')
  await expect(onPairs({ capture: part }, true)).rejects.toThrow('expected one of capture, got "captures"')
  vi.unstubAllEnvs()
})
