// LaunchDarkly flags as subjects of the contract of sources, heard by the real SDKs over a stream.
import { launchDarkly } from '../../../adapters/launchdarkly.js'
import { emitted, SDKS } from '../../support/launchdarkly-clients.js'
import { startLaunchDarkly } from '../../support/launchdarkly-server.js'
import type { SourceSubject } from './subject.js'

const FLAG = 'orders-database'

/** What a source may listen to. */
const HEARD = ['ready', 'failed', 'error', 'update', `update:${FLAG}`]

export const LAUNCHDARKLY_SUBJECTS: readonly SourceSubject[] = SDKS.map(({ name, connect }) => ({
  name: `launchDarkly with ${name}`,
  garbage: ['sideways', '', 7, null, {}, [], { phase: 'sideways' }, { phase: true }],
  noticesOutage: false,
  async start({ silent } = {}) {
    const server = await startLaunchDarkly()
    if (!silent) server.setValue(FLAG, 'old')
    const client = connect(server)
    await emitted(client, 'ready')
    return {
      source: launchDarkly(client, FLAG),
      another: () => launchDarkly(client, FLAG),
      say: (value) => server.setValue(FLAG, value),
      outage() {
        server.refuse(503)
        server.cut()
      },
      back(value) {
        server.setValue(FLAG, value)
        server.accept()
      },
      forget: () => server.remove(FLAG),
      held: () => HEARD.reduce((sum, event) => sum + client.listenerCount(event), 0),
      async stop() {
        client.close()
        await server.close()
      },
    }
  },
}))
