// Prisma as it is, on the facade, and with its own extension for read replicas.
import { PrismaPg } from '@prisma/adapter-pg'
import { readReplicas } from '@prisma/extension-read-replicas'
import { prismaAdapter } from '../../adapters/prisma.js'
import { PrismaClient } from '../../examples/prisma/generated/client.js'
import type { Cutover } from '../../src/index.js'
import { MAX, type Contender } from '../clients/contender.js'
import { packageVersion } from './present.js'

export const version = packageVersion('@prisma/client')
export const extensionVersion = packageVersion('@prisma/extension-read-replicas')

const clientTo = (url: string): PrismaClient =>
  new PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: MAX }) })

async function contenderOf(
  client: Pick<PrismaClient, 'note' | '$connect' | '$disconnect'>,
): Promise<Contender> {
  await client.$connect()
  return {
    // Not findUnique, of which Prisma makes one statement where several are asked for at once.
    ask: (id) => client.note.findFirst({ where: { id } }),
    close: () => client.$disconnect(),
  }
}

export const stock = (url: string): Promise<Contender> => contenderOf(clientTo(url))

export const onCutover = (cutover: Cutover): Promise<Contender> =>
  contenderOf(new PrismaClient({ adapter: prismaAdapter(PrismaPg, cutover) }))

/** The same database as its only replica. */
export const withReplicas = (url: string): Promise<Contender> =>
  contenderOf(clientTo(url).$extends(readReplicas({ replicas: [clientTo(url)] })) as unknown as PrismaClient)
