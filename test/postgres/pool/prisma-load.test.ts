// 64 callers with all that Prisma does, through flips there and back: nothing fails, nothing is torn, nothing is lost.
import { expect, it } from 'vitest'
import { openPrisma, shutDown } from '../../../examples/prisma.js'
import type { Side } from '../../../src/phase/phases.js'
import { seededRandom } from '../../support/seeded-random.js'
import { turn } from './fixture.js'
import { prismaSides } from './prisma-fixture.js'

const CALLERS = 64
const CLIENTS = 8
const FLIPS = 2

const { migrate, observe } = await prismaSides()

it('64 callers notice nothing of flips there and back', async () => {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  const random = seededRandom(seed)
  // On a slow machine everything is waited for; what takes long is not what is tested here.
  const cutover = await migrate({ max: CLIENTS }, { holdTimeoutMillis: 10_000, drainTimeoutMillis: 9_000 })
  const prisma = await openPrisma(cutover)
  const patience = { maxWait: 20_000, timeout: 20_000 }
  const acknowledged: string[][] = []
  const torn: string[][] = []
  let nested = 0
  const stopping = new AbortController()

  const add = (text: string) => ({ data: { text } })
  async function read(asks: Pick<typeof prisma, 'author'>): Promise<void> {
    const authors = await asks.author.findMany({ include: { posts: true } })
    const sides = new Set(authors.flatMap(({ name, posts }) => [name, ...posts.map(({ title }) => title)]))
    if (sides.size !== 1) torn.push([...sides])
  }
  async function readInside(): Promise<void> {
    // As many transactions as there are clients, each waiting for one more, would wait for ever on any pool.
    if (nested === CLIENTS / 2 || random() < 0.8) return
    nested++
    await read(prisma)
    nested--
  }

  /** Each does one thing of its kind, and gives the notes that it has written. */
  const ways: readonly ((text: string) => Promise<string[]>)[] = [
    async () => {
      await read(prisma)
      return []
    },
    async (text) => [(await prisma.note.create(add(text))).text],
    async (text) => [
      (await prisma.note.upsert({ where: { text }, create: { text }, update: { text: 'there' } })).text,
    ],
    async (text) => {
      await prisma.$executeRaw`insert into note (text) values (${text})`
      return [text]
    },
    async (text) => {
      const both = [prisma.note.create(add(text)), prisma.note.create(add(`${text}, second`))]
      return (await prisma.$transaction(both, patience)).map((note) => note.text)
    },
    (text) =>
      prisma.$transaction(async (tx) => {
        const { id } = await tx.note.create(add(`${text}, not yet`))
        await read(tx)
        await readInside()
        await tx.note.update({ where: { id }, data: { text } })
        return [text]
      }, patience),
  ]

  async function caller(number: number): Promise<void> {
    for (let call = 0; !stopping.signal.aborted; call++) {
      const way = ways[Math.floor(random() * ways.length)]
      const written = (await way?.(`${number}-${call}`)) ?? []
      if (written.length > 0) acknowledged.push(written)
    }
  }
  async function flips(): Promise<void> {
    for (let flip = 0; flip < FLIPS; flip++) {
      const before = acknowledged.length
      while (acknowledged.length < before + CALLERS && !stopping.signal.aborted) await turn()
      await cutover.advance(flip % 2 === 0 ? 'new' : 'old')
    }
  }
  const stop = (): void => stopping.abort()
  const ended = await Promise.allSettled([
    flips().finally(stop),
    ...Array.from({ length: CALLERS }, (_, number) => caller(number).finally(stop)),
  ])

  const inThisRun = `with SEED=${seed}`
  expect(
    ended.flatMap((one) => (one.status === 'rejected' ? [one.reason] : [])),
    inThisRun,
  ).toEqual([])
  expect(torn, inThisRun).toEqual([])
  const stored = async (side: Side): Promise<Set<string>> =>
    new Set((await observe<{ text: string }>(side, 'select text from note')).map(({ text }) => text))
  const [old, opened] = [await stored('old'), await stored('new')]
  expect([...old, ...opened].toSorted(), inThisRun).toEqual(acknowledged.flat().toSorted())
  expect(opened.size, inThisRun).toBeGreaterThan(0)
  // Both notes of a batch are on one side.
  for (const [first = '', second] of acknowledged)
    if (second !== undefined) expect(old.has(first), inThisRun).toBe(old.has(second))
  expect(cutover.status(), inThisRun).toMatchObject({
    side: 'old',
    route: 'direct',
    waiting: 0,
    inFlight: { old: 0, new: 0 },
  })
  await shutDown(prisma, cutover)
}, 60_000)
