// Moves the demo by a LaunchDarkly flag alone: a flag service on loopback, the real SDK, and flips.
import { basicLogger, init } from '@launchdarkly/node-server-sdk'
import { launchDarkly } from '../adapters/launchdarkly.js'
import { PHASES } from '../src/index.js'
import type { Cutover, CutoverEvent, EventMap, Phase } from '../src/index.js'
import { startLaunchDarkly } from '../test/support/launchdarkly-server.js'
import type { Mover } from './movers.js'

const FLAG = 'orders-database'
const STAGES: readonly string[] = Object.values(PHASES).map(({ stage }) => stage)
const START_SECONDS = 10
/** For the flip to be heard, which takes milliseconds; how long the move takes is another matter. */
const HEARD_MILLIS = 10_000

export async function openFlagMover(): Promise<Mover> {
  const service = await startLaunchDarkly()
  /** As an operator does who gives the whole default cohort of a migration flag another stage. */
  const flip = (stage: string): void => {
    const variations = STAGES.map((one, variation) => ({ variation, weight: one === stage ? 100_000 : 0 }))
    const rollout = { contextKind: 'migration', variations }
    service.setFlag(FLAG, { variations: STAGES, fallthrough: { rollout }, migration: {} })
  }
  flip('off')
  const client = init('sdk-demo', {
    ...service.uris,
    logger: basicLogger({ level: 'none' }),
    diagnosticOptOut: true,
  })
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

/** What became of the wish for a phase that is about to be spoken. */
function followed(cutover: Cutover, to: Phase): Promise<CutoverEvent | undefined> {
  return new Promise((resolve, reject) => {
    let event: CutoverEvent | undefined
    const onCutover = (heard: CutoverEvent): void => {
      if (heard.outcome === 'done') event = heard
    }
    const settle = (end: () => void): void => {
      clearTimeout(deaf)
      cutover.off('wish', onWish)
      cutover.off('cutover', onCutover)
      end()
    }
    const onWish = ({ value, outcome, reason }: EventMap['wish'][0]): void => {
      if (outcome !== 'followed') settle(() => reject(new Error(`${value} was ${outcome}: ${reason}`)))
      else if (value === `"${to}"`) settle(() => resolve(event))
    }
    const deaf = setTimeout(() => {
      const { lastWish, whyNot = 'it told nothing' } = cutover.status().source
      if (lastWish !== to)
        settle(() =>
          reject(new Error(`the flip to "${to}" was not heard within ${HEARD_MILLIS} ms: ${whyNot}`)),
        )
    }, HEARD_MILLIS)
    cutover.on('wish', onWish)
    cutover.on('cutover', onCutover)
  })
}
