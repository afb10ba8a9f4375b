// Prisma's operations and a change of writer: none reads two databases, none stands in the way of the drain.
import { PrismaPg } from '@prisma/adapter-pg'
import { describe, expect, it } from 'vitest'
import { pinned, prismaAdapter } from '../../../adapters/prisma.js'
import { openPrisma } from '../../../examples/prisma.js'
import { PrismaClient } from '../../../examples/prisma/generated/client.js'
import type { Cutover } from '../../../src/index.js'
import { eventWhere, turn } from './fixture.js'
import { prismaSides } from './prisma-fixture.js'

const { migrate, observe } = await prismaSides()

/** Between the answer to a statement and Prisma's next one: where a change of writer could come. */
let afterAnswer: ((sql: string) => Promise<void>) | undefined

class HeldAnswers extends PrismaPg {
  override async connect() {
    const adapter = await super.connect()
    const { queryRaw } = adapter
    adapter.queryRaw = async (query) => {
      const answer = await queryRaw.call(adapter, query)
      await afterAnswer?.(query.sql)
      return answer
    }
    return adapter
  }
}

/** Runs `work` once, after the next answer about authors. */
function onceAuthorsAreRead(work: () => Promise<unknown>): void {
  afterAnswer = async (sql) => {
    if (!sql.includes('"author"')) return
    afterAnswer = undefined
    await work()
  }
}

const sideNow = async (cutover: Cutover): Promise<unknown> =>
  (await cutover.pool.query('select side from marker')).rows[0]?.side
const route = (cutover: Cutover, kind: string): Promise<unknown> =>
  eventWhere(cutover, 'route', (event) => event.route === kind)

const withPosts = { include: { posts: true } } as const

/** Where the authors and the posts of an answer are from. */
const sidesOf = (authors: readonly { name: string; posts: readonly { title: string }[] }[]): string[] => [
  ...new Set(authors.flatMap(({ name, posts }) => [name, ...posts.map(({ title }) => title)])),
]

describe('an operation with a relation', () => {
  it('is torn by a change of writer between its statements when it is not pinned', async () => {
    const cutover = await migrate()
    const prisma = new PrismaClient({ adapter: prismaAdapter(HeldAnswers, cutover) })
    onceAuthorsAreRead(() => cutover.advance('new'))
    expect(sidesOf(await prisma.author.findMany(withPosts))).toEqual(['old', 'new'])
    await prisma.$disconnect()
  })

  it('that began at rest is ended before the hold begins', async () => {
    const cutover = await migrate()
    const client = new PrismaClient({ adapter: prismaAdapter(HeldAnswers, cutover) })
    const prisma = client.$extends(pinned(cutover))
    let moved: Promise<unknown> | undefined
    onceAuthorsAreRead(async () => {
      const armed = route(cutover, 'armed')
      moved = cutover.advance('new')
      await armed
      // Many more round trips than a change of writer has.
      for (let trips = 0; trips < 50; trips++) await observe('new', 'select 1')
    })
    expect(sidesOf(await prisma.author.findMany(withPosts))).toEqual(['old'])
    await moved
    expect(sidesOf(await prisma.author.findMany(withPosts))).toEqual(['new'])
    await prisma.$disconnect()
  })

  it('that began just before the hold is ended within it', async () => {
    const cutover = await migrate()
    const client = new PrismaClient({ adapter: prismaAdapter(HeldAnswers, cutover) })
    const prisma = client.$extends(pinned(cutover))
    let moved: Promise<unknown> | undefined
    let second: Promise<string[]> | undefined
    onceAuthorsAreRead(async () => {
      const armed = route(cutover, 'armed')
      const held = route(cutover, 'held')
      moved = cutover.advance('new')
      await armed
      const read = new Promise<void>((resolve) => {
        onceAuthorsAreRead(async () => {
          resolve()
          // The first one lets go of the hold, and this one meets it.
          await held
          await turn()
        })
      })
      second = prisma.author.findMany(withPosts).then(sidesOf)
      await read
    })
    expect(sidesOf(await prisma.author.findMany(withPosts))).toEqual(['old'])
    expect(await second).toEqual(['old'])
    await moved
    expect(await sideNow(cutover)).toBe('new')
    await prisma.$disconnect()
  })

  it('that comes during the hold waits for its end and reads the other side', async () => {
    const cutover = await migrate()
    const prisma = await openPrisma(cutover)
    const lease = await cutover.pool.connect()
    const held = route(cutover, 'held')
    const moved = cutover.advance('new')
    await held
    const read = prisma.author.findMany(withPosts)
    lease.release()
    await moved
    expect(sidesOf(await read)).toEqual(['new'])
    await prisma.$disconnect()
  })
})

describe('a transaction that meets the hold', () => {
  it.each([
    ['at once', () => Promise.resolve()],
    ['a turn later', turn],
    // Longer than a turn of the connection shows, and than the drain takes a lease for silent.
    ['some time later', () => new Promise((resolve) => setTimeout(resolve, 10))],
  ])('goes on to its end, with all of its operations, %s', async (_, later) => {
    const cutover = await migrate({ max: 2 })
    const prisma = await openPrisma(cutover)
    const text = `in the hold ${_}`
    const held = route(cutover, 'held')
    let moved: Promise<unknown> | undefined
    await prisma.$transaction(async (tx) => {
      await tx.note.create({ data: { text } })
      moved = cutover.advance('new')
      await held
      await later()
      await tx.note.update({ where: { text }, data: { text: `${text}, changed` } })
      await later()
      expect(sidesOf(await tx.author.findMany(withPosts))).toEqual(['old'])
      // Outside of it, and waited for inside it.
      expect(sidesOf(await prisma.author.findMany(withPosts))).toEqual(['old'])
    })
    await moved
    expect(await observe('old', 'select text from note where text like $1', [`${text}%`])).toEqual([
      { text: `${text}, changed` },
    ])
    expect(await sideNow(cutover)).toBe('new')
    await prisma.$disconnect()
  })
})
