// A server that is further away: everything on the way to it and back arrives later, in its order.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface Delayed {
  /** The same URL, but through the delay. */
  url(original: string): string
  close(): Promise<void>
}

/** Half of the time on the way there, half on the way back. */
export async function delayed(targetPort: number, roundTripMillis: number): Promise<Delayed> {
  const sockets = new Set<Socket>()
  const pass = (from: Socket, to: Socket): void => {
    sockets.add(from)
    // Timers of one length end in the order in which they began.
    const later = (act: () => void): void => void setTimeout(act, roundTripMillis / 2)
    from.setNoDelay(true)
    from.on('data', (bytes) => later(() => to.write(bytes)))
    from.on('end', () => later(() => to.end()))
    from.on('error', () => to.destroy())
    from.on('close', () => sockets.delete(from))
  }
  const listener = createServer({ allowHalfOpen: true }, (client) => {
    const server = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true })
    pass(client, server)
    pass(server, client)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  return {
    url: (original) => {
      const url = new URL(original)
      url.port = String(port)
      return url.href
    },
    close: async () => {
      const closed = once(listener, 'close')
      listener.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
