// A TCP proxy in front of a server, for faults of the network: it stalls, cuts and refuses.
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'

export type Direction = 'to-server' | 'to-client' | 'both'

export interface Proxy {
  readonly port: number
  /** Connections that stand now. */
  readonly connections: number
  /** The same URL, but through the proxy. */
  url(original: string): string
  /** Nothing is passed on any more, on standing and new connections, and no end either: as if the cable were pulled. */
  stall(direction?: Direction): void
  /** Everything is passed on again, what waited first, and new connections are taken. */
  resume(): Promise<void>
  /** Resets the standing connections; new ones are taken. */
  cut(): void
  /** Refuses new connections; standing ones stay. */
  refuse(): Promise<void>
  close(): Promise<void>
}

interface Link {
  readonly client: Socket
  readonly server: Socket
}

export async function startProxy(targetPort: number, targetHost = '127.0.0.1'): Promise<Proxy> {
  const links = new Set<Link>()
  let stalled: Direction | undefined

  const flow = (from: Socket, to: Socket, mine: Direction): void => {
    // Also before it is piped: a second pipe to the same socket would pass everything on twice.
    from.unpipe(to)
    if (stalled === 'both' || stalled === mine) from.pause()
    else if (from.destroyed) to.destroy()
    else from.pipe(to)
  }
  const steer = ({ client, server }: Link): void => {
    flow(client, server, 'to-server')
    flow(server, client, 'to-client')
  }

  const take = (client: Socket): void => {
    const server = connect({ port: targetPort, host: targetHost, noDelay: true })
    const link: Link = { client: client.setNoDelay(true), server }
    links.add(link)
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      socket.on('error', () => undefined)
      socket.on('close', () => {
        if (stalled === undefined) other.destroy()
        if (other.destroyed) links.delete(link)
      })
    }
    steer(link)
  }

  const cut = (): void => {
    for (const { client, server } of links) {
      reset(client)
      reset(server)
    }
    links.clear()
  }

  let listener: Server | undefined = await listen(take)
  const port = portOf(listener)

  const refuse = async (): Promise<void> => {
    if (!listener) return
    const closing = listener
    listener = undefined
    // Its callback would wait for the standing connections, but it stops listening at once.
    closing.close()
    await Promise.resolve()
  }

  return {
    port,
    get connections() {
      return links.size
    },
    url: (original) => {
      const url = new URL(original)
      url.hostname = '127.0.0.1'
      url.port = String(port)
      return url.href
    },
    stall: (direction = 'both') => {
      stalled = direction
      for (const link of links) steer(link)
    },
    resume: async () => {
      stalled = undefined
      for (const link of links) steer(link)
      listener ??= await listen(take, port)
    },
    cut,
    refuse,
    close: async () => {
      await refuse()
      cut()
    },
  }
}

/** A socket that has said its end cannot be reset: libuv refuses, and Node would then never close the handle. */
function reset(socket: Socket): void {
  if (socket.writable) socket.resetAndDestroy()
  else socket.destroy()
}

/** Below the kernel's range for outgoing connections, so that a refusing proxy finds its port free again. */
async function listen(take: (socket: Socket) => void, port?: number): Promise<Server> {
  for (;;) {
    const server = createServer({ pauseOnConnect: true }, take)
    try {
      server.listen(port ?? randomInt(15_000, 32_000), '127.0.0.1')
      await once(server, 'listening')
      return server
    } catch (error) {
      if (port !== undefined) throw error
    }
  }
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy does not listen')
  return address.port
}
