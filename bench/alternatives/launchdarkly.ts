// LaunchDarkly's createMigration around pools: the flag says at each call which of them it is.
import { once } from 'node:events'
import {
  createMigration,
  LDMigrationError,
  LDMigrationSuccess,
  type LDClient,
  LDMigrationStage,
} from '@launchdarkly/node-server-sdk'
import type pg from 'pg'
import type { Contender } from '../clients/contender.js'
import { CONTEXT, startFlagClients } from '../flag-clients.js'
import { packageVersion } from './present.js'

export const version = packageVersion('@launchdarkly/node-server-sdk')

const FLAG = 'orders-database'

export interface Staged {
  readonly client: LDClient
  stage(stage: `${LDMigrationStage}`): Promise<void>
  close(): Promise<void>
}

/**
 * A migration flag of a service on loopback. None of its events is sampled, in favour of the SDK: the service that would
 * take them is in this process, and the CPU time that it needs is not the SDK's.
 */
export async function startStaged(): Promise<Staged> {
  const flags = await startFlagClients(FLAG, 'off')
  const client = flags.launchDarkly9 as unknown as LDClient
  const stage: Staged['stage'] = async (value) => {
    const heard = once(client, `update:${FLAG}`)
    flags.service.setFlag(FLAG, { variations: [value], samplingRatio: 0, migration: {} })
    await heard
  }
  await stage('off')
  return { client, stage, close: () => flags.close() }
}

/** One function for each side; what they give or throw is what the call gives or throws. */
export function migrationOf<In, Out>(
  client: LDClient,
  sides: Readonly<Record<'old' | 'new', (payload: In) => Promise<Out>>>,
) {
  const safely = (run: (payload: In) => Promise<Out>) => async (payload?: In) => {
    try {
      return LDMigrationSuccess(await run(payload as In))
    } catch (error) {
      return LDMigrationError(error as Error)
    }
  }
  const [old, next] = [safely(sides.old), safely(sides.new)]
  const migration = createMigration<Out, Out, In, In>(client, {
    readOld: old,
    readNew: next,
    writeOld: old,
    writeNew: next,
  })
  return {
    async read(payload: In): Promise<Out> {
      const answer = await migration.read(FLAG, CONTEXT, LDMigrationStage.Off, payload)
      if (!answer.success) throw answer.error
      return answer.result
    },
    async write(payload: In): Promise<Out> {
      const { authoritative } = await migration.write(FLAG, CONTEXT, LDMigrationStage.Off, payload)
      if (!authoritative.success) throw authoritative.error
      return authoritative.result
    },
  }
}

/** In stage `off`, where one side alone is asked. */
async function through(
  of: (pool: pg.Pool) => Contender,
  pool: pg.Pool,
  how: 'read' | 'write',
): Promise<Contender> {
  const asked = of(pool)
  const staged = await startStaged()
  const migration = migrationOf(staged.client, {
    old: (id: number) => asked.ask(id),
    new: (id: number) => asked.ask(id),
  })
  return {
    ask: (id) => migration[how](id),
    close: async () => {
      await staged.close()
      await asked.close()
    },
  }
}

export const readingThrough = (of: (pool: pg.Pool) => Contender, pool: pg.Pool): Promise<Contender> =>
  through(of, pool, 'read')

export const writingThrough = (of: (pool: pg.Pool) => Contender, pool: pg.Pool): Promise<Contender> =>
  through(of, pool, 'write')
