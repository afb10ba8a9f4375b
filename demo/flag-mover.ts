// Moves the demo by a LaunchDarkly flag alone: a flag service on loopback, the real SDK, and flips.
import { basicLogger, init } from '@launchdarkly/node-server-sdk'
import { launchDarkly } from '../adapters/launchdarkly.js'
import { PHASES } from '../src/index.js'
import { startLaunchDarkly } from '../test/support/launchdarkly-server.js'
import type { LaunchDarklyServer } from '../test/support/launchdarkly-server.js'
import { followed } from './followed.js'
import type { Ear, Mover } from './movers.js'

const FLAG = 'orders-database'
const STAGES: readonly string[] = Object.values(PHASES).map(({ stage }) => stage)
const START_SECONDS = 10

export async function openFlagMover(): Promise<Mover> {
  const service = await startLaunchDarkly()
  /** As an operator does who gives the whole default cohort of a migration flag another stage. */
  const flip = (stage: string): void => {
    const variations = STAGES.map((one, variation) => ({ variation, weight: one === stage ? 100_000 : 0 }))
    const rollout = { contextKind: 'migration', variations }
    service.setFlag(FLAG, { variations: STAGES, fallthrough: { rollout }, migration: {} })
  }
  flip('off')
  const client = connect(service.uris)
  const close = async (): Promise<void> => {
    client.close()
    await service.close()
  }
  try {
    await client.waitForInitialization({ timeout: START_SECONDS })
  } catch (error) {
    await close()
    throw error
  }
  return {
    source: launchDarkly(client, FLAG),
    autoAdvance: true,
    flag: { kind: 'launchdarkly', uris: service.uris },
    opening: [
      `a flag service on ${service.uris.baseUri} with the migration flag ${FLAG}, which is "off", and LaunchDarkly's`,
      'SDK; from here on flips of that flag move the traffic, and nothing else does',
    ],
    request: (_from, to) => `flag → "${PHASES[to].stage}"`,
    async move(cutover, to) {
      const done = followed(cutover, to)
      flip(PHASES[to].stage)
      return done
    },
    async closing() {
      await client.flush()
      const measured = service.events.filter(({ kind }) => kind === 'migration_op')
      const reads = measured.filter(({ operation }) => operation === 'read').length
      return [
        `for its charts LaunchDarkly was sent ${measured.length} measured calls, ${reads} of them reads`,
      ]
    },
    close,
  }
}

const connect = (uris: LaunchDarklyServer['uris']) =>
  init('sdk-demo', { ...uris, logger: basicLogger({ level: 'none' }), diagnosticOptOut: true })

/** In a further process, which has an SDK of its own. */
export async function hearFlag(uris: LaunchDarklyServer['uris']): Promise<Ear> {
  const client = connect(uris)
  await client.waitForInitialization({ timeout: START_SECONDS })
  return {
    source: launchDarkly(client, FLAG),
    autoAdvance: true,
    async close() {
      await client.flush()
      client.close()
    },
  }
}
