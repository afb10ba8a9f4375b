// Prisma in the contract of data layers: its own pool or the facade, by PrismaPg.
import { PrismaPg } from '@prisma/adapter-pg'
import { openPrisma } from '../../../examples/prisma.js'
import { PrismaClient, type Prisma } from '../../../examples/prisma/generated/client.js'
import type { DataLayer, Executor, Isolation, Row, Session } from './subject.js'

const LEVELS: Readonly<Record<Isolation, Prisma.TransactionIsolationLevel>> = {
  'read committed': 'ReadCommitted',
  'repeatable read': 'RepeatableRead',
  serializable: 'Serializable',
}

const executor = (asks: Prisma.TransactionClient): Executor => ({
  query: (text, values = []) => asks.$queryRawUnsafe<Row[]>(text, ...values),
  addNote: async (text) => (await asks.note.create({ data: { text } })).id,
})

function session(client: PrismaClient): Session {
  return {
    ...executor(client),
    notes: async () => (await client.note.findMany({ orderBy: { id: 'asc' } })).map(({ text }) => text),
    async readSpecimen(id) {
      // A list of Prisma's has no null in it, so this column is read and written by raw queries.
      const row = await client.specimen.findUniqueOrThrow({ where: { id }, omit: { tags: true } })
      const [raw] = await client.$queryRaw<Row[]>`select tags from specimen where id = ${id}`
      return { ...row, ...raw }
    },
    async writeSpecimen({ tags, ...row }, id) {
      await client.specimen.create({
        data: { ...row, id, tags: [] } as unknown as Prisma.SpecimenCreateInput,
      })
      await client.$executeRaw`update specimen set tags = ${tags} where id = ${id}`
    },
    transaction: (work, isolation) =>
      client.$transaction(
        (tx) =>
          work({
            ...executor(tx),
            savepoint: (inner) => tx.$transaction((nested) => inner(executor(nested))),
          }),
        isolation && { isolationLevel: LEVELS[isolation] },
      ),
    close: () => client.$disconnect(),
  }
}

export const prisma: DataLayer = {
  name: 'Prisma',
  packages: ['prisma', '@prisma/client', '@prisma/adapter-pg'],
  handIn: 'new PrismaClient({ adapter: prismaAdapter(PrismaPg, cutover) }).$extends(pinned(cutover))',
  special:
    'without `pinned` an operation with relations may read two databases; `maxWait` and `timeout` of transactions run on during a hold, so keep them longer than `holdTimeoutMillis`',
  example: 'examples/prisma.ts',
  pins: true,
  readsWait: true,
  acquireTimeoutOf: 'pool',
  // Its migrations are a program of its own, which is given the URL of one database.
  lacks: ['stream', 'cancelAfter', 'migrate'],
  reopens: true,
  async openStock(url, { max, acquireTimeoutMillis = 0 }) {
    const config = { connectionString: url, max, connectionTimeoutMillis: acquireTimeoutMillis }
    const client = new PrismaClient({ adapter: new PrismaPg(config) })
    await client.$connect()
    return session(client)
  },
  // What an extension of queries gives is a client like any other, but for its type.
  openFacade: async (cutover) => session((await openPrisma(cutover)) as unknown as PrismaClient),
  sqlState: (error) =>
    (error as { meta?: { driverAdapterError?: { cause?: { originalCode?: string } } } }).meta
      ?.driverAdapterError?.cause?.originalCode,
}
