// LaunchDarkly flags as subjects of the contract of sources, heard by the real SDKs over a stream.
import { launchDarkly } from '../../../adapters/launchdarkly.js'
import { emitted, SDKS } from '../../support/launchdarkly-clients.js'
import { startLaunchDarkly } from '../../support/launchdarkly-server.js'
import type { SourceSubject } from './subject.js'

const FLAG = 'orders-database'

export const LAUNCHDARKLY_SUBJECTS: readonly SourceSubject[] = SDKS.map(({ name, connect }) => ({
  name: `launchDarkly with ${name}`,
  garbage: ['sideways', '', 7, null, {}, [], { phase: 'sideways' }, { phase: true }],
  noticesOutage: false,
  async start() {
    const server = await startLaunchDarkly()
    server.setValue(FLAG, 'old')
    const client = connect(server)
    await emitted(client, 'ready')
    return {
      source: launchDarkly(client, FLAG),
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
      async stop() {
        client.close()
        await server.close()
      },
    }
  },
}))
