// What a service sees of a hold through Prisma: errors with their codes, its own timeouts, and no client lost.
import { PrismaPg } from '@prisma/adapter-pg'
import { afterEach, describe, expect, it } from 'vitest'
import { pinned, prismaAdapter } from '../../../adapters/prisma.js'
import { PrismaClient } from '../../../examples/prisma/generated/client.js'
import type { Cutover } from '../../../src/index.js'
import { cutoverPool } from '../../../src/pool/cutover-pool.js'
import { atRest, lease, reasonOf, sides, stateOf, type Driven } from './fixture.js'

const { drive, keys } = await sides()

let opened: PrismaClient[] = []

afterEach(async () => {
  for (const client of opened.splice(0)) await client.$disconnect()
})

/** Prisma over a gate that the test drives by hand: the two methods are all that the adapter uses of a cutover. */
async function open({ core }: Driven) {
  const cutover: Pick<Cutover, 'createPool' | 'pin'> = {
    createPool: () => cutoverPool(core),
    pin: ((work: Parameters<Cutover['pin']>[0]) => core.admission.pin(work)) as Cutover['pin'],
  }
  const client = new PrismaClient({ adapter: prismaAdapter(PrismaPg, cutover as Cutover) })
  opened.push(client)
  await client.$connect()
  return { client, pinnedClient: client.$extends(pinned(cutover as Cutover)) }
}

type Opened = Awaited<ReturnType<typeof open>>
type Call = (opened: Opened) => PromiseLike<unknown>

const ON_THE_CLIENT: readonly (readonly [string, string, Call])[] = [
  ['an operation', 'P2039', ({ client }) => client.note.findMany()],
  ['a raw query', 'P2010', ({ client }) => client.$queryRaw`select side from marker`],
  ['a raw query of a pinned client', 'P2010', ({ pinnedClient }) => pinnedClient.$queryRaw`select 1`],
  ['a transaction', 'P2039', ({ client }) => client.$transaction(() => Promise.resolve(1))],
  ['a batch', 'P2039', ({ pinnedClient: p }) => p.$transaction([p.note.findMany()])],
]

describe('a call that the end of a hold gives up', () => {
  it.each(ON_THE_CLIENT)('fails as retryable: %s by %s', async (_, code, call) => {
    const driven = drive()
    const prisma = await open(driven)
    driven.core.hold(lease(20))
    const cause = { originalCode: '57P03', severity: 'FATAL' }
    expect(await reasonOf(Promise.resolve(call(prisma)))).toMatchObject({
      name: 'PrismaClientKnownRequestError',
      code,
      meta: { driverAdapterError: { cause } },
    })
    driven.core.release('old')
    await atRest(driven)
  })

  it('fails with our own error where a pin was waited for', async () => {
    const driven = drive()
    const { pinnedClient } = await open(driven)
    driven.core.hold(lease(20))
    expect(await reasonOf(Promise.resolve(pinnedClient.note.findMany()))).toMatchObject({
      name: 'CutoverError',
      code: '57P03',
    })
    driven.core.release('old')
    await atRest(driven)
  })
})

it.each([
  ...ON_THE_CLIENT,
  ['a pinned operation', '', ({ pinnedClient }: Opened) => pinnedClient.note.findMany()] as const,
])('says that no phase is known: %s', async (_, __, call) => {
  const driven = drive({}, { unknown: true })
  const prisma = await open(driven)
  driven.core.refuse()
  expect(await reasonOf(Promise.resolve(call(prisma)))).toMatchObject({ code: 'ERR_PHASE_UNKNOWN' })
})

describe("Prisma's own time", () => {
  it('to wait for a transaction runs on during a hold, and the client that comes too late is given back as it was', async () => {
    const driven = drive({ max: 1 })
    const { client } = await open(driven)
    driven.core.hold(lease())
    const late = client.$transaction((tx) => tx.$executeRaw`insert into entry (key) values ('late')`, {
      maxWait: 30,
    })
    expect(await reasonOf(late)).toMatchObject({ code: 'P2028' })
    driven.core.release('new')
    await atRest(driven)
    // The only client: in a transaction that nobody ends, this would be lost.
    await client.$executeRaw`insert into entry (key) values ('after')`
    expect([await keys('new'), await keys('old')]).toEqual([['after'], []])
    expect(driven.core.leased()).toEqual([])
  })

  it('for a transaction ends the wait of the drain for it', async () => {
    const driven = drive()
    const { client } = await open(driven)
    const timeout = 40
    let drained: Promise<void> | undefined
    const forgotten = client.$transaction(
      async (tx) => {
        await tx.$executeRaw`insert into entry (key) values ('forgotten')`
        driven.core.hold(lease())
        drained = driven.core.drain(5_000)
        expect(await stateOf(drained)).toBe('pending')
        await drained
        await tx.$executeRaw`insert into entry (key) values ('too late')`
      },
      { timeout },
    )
    expect(await reasonOf(forgotten)).toMatchObject({ code: 'P2028', meta: { timeout } })
    driven.core.release('new')
    await atRest(driven)
    expect([await keys('old'), await keys('new')]).toEqual([[], []])
    expect(driven.core.leased()).toEqual([])
  })
})
