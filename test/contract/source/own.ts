// The source of the docs' example as a subject of the contract, asked over HTTP on loopback.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { urlSource } from '../../../examples/own-source.js'
import type { Source } from '../../../src/index.js'
import type { SourceSubject } from './subject.js'

export const ownSubject: SourceSubject = {
  name: 'the example of a source of your own',
  garbage: ['lvie', '', '{ "phase": "live" }', '<html>'],
  noticesOutage: true,
  async start({ silent } = {}) {
    let says: string | undefined = silent ? undefined : 'old'
    const server = createServer((_, response) => {
      response.writeHead(says === undefined ? 404 : 200, { connection: 'close' }).end(says)
    })
    const listen = async (port: number): Promise<number> => {
      await once(server.listen(port, '127.0.0.1'), 'listening')
      const address = server.address()
      return typeof address === 'object' && address !== null ? address.port : 0
    }
    const shut = async (): Promise<void> => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    }
    const made = (at: number): Source => urlSource(`http://127.0.0.1:${at}/phase`, 10)
    const port = await listen(0)
    return {
      source: made(port),
      another: () => made(port),
      say: (value) => void (says = String(value)),
      outage: shut,
      async back(value) {
        says = String(value)
        await listen(port)
      },
      forget: () => void (says = undefined),
      async stop() {
        if (server.listening) await shut()
      },
    }
  },
}
