// Prisma on the facade: one client for both databases.
import { PrismaPg } from '@prisma/adapter-pg'
import { pinned, prismaAdapter } from '../adapters/prisma.js'
import type { Cutover } from '../src/index.js'
import { PrismaClient } from './prisma/generated/client.js'

export async function openPrisma(cutover: Cutover) {
  const client = new PrismaClient({ adapter: prismaAdapter(PrismaPg, cutover) })
  await client.$connect() // now, and not with the first query, since it finds out a second copy of pg
  // An operation with relations is several statements: pinned, they see one database.
  return client.$extends(pinned(cutover))
}

/** At shutdown: Prisma with its view first, then the migration with its connections. */
export async function shutDown(prisma: { $disconnect(): Promise<void> }, cutover: Cutover): Promise<void> {
  await prisma.$disconnect()
  await cutover.end()
}
