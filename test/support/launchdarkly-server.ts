// A flag service on loopback that both LaunchDarkly SDKs take for the real one: streaming, polling, events and their faults.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A flag as the service sends it to its SDKs; what is left out is a flag that is on and has one value for everybody. */
export interface Flag {
  readonly on?: boolean
  readonly variations: readonly unknown[]
  readonly fallthrough?: unknown
  readonly offVariation?: number | null
  readonly targets?: readonly unknown[]
  readonly contextTargets?: readonly unknown[]
  readonly rules?: readonly unknown[]
  /** One in so many of the flag's analytics events is sent; 0 is none. */
  readonly samplingRatio?: number
  /** Makes it a migration flag. */
  readonly migration?: { readonly checkRatio?: number }
}

export interface LaunchDarklyServer {
  /** For the SDKs' options. */
  readonly uris: { readonly baseUri: string; readonly streamUri: string; readonly eventsUri: string }
  /** Streams that are open now. */
  readonly streams: number
  /** Everything that was posted as analytics events, in order of arrival. */
  readonly events: readonly Readonly<Record<string, unknown>>[]
  /** Requests for flags so far, by stream or poll, refused ones too. */
  readonly requests: number
  /** A flag with this value for everybody. */
  setValue(key: string, value: unknown): void
  setFlag(key: string, flag: Flag): void
  /** Deletes a flag, as the service does when it is archived. */
  remove(key: string): void
  /** Everything, as after a restart of the service. */
  putAgain(): void
  /** An event that is no JSON. */
  sendGarbage(): void
  /** Resets the open streams; the SDKs connect again by themselves. */
  cut(): void
  /** Answers every request for flags with this status from now on; `cut` makes the SDKs notice. */
  refuse(status: number): void
  /** Takes requests for flags, but does not answer them yet. */
  stall(): void
  /** Ends `refuse` and `stall`; what waited is answered. */
  accept(): void
  close(): Promise<void>
}

export async function startLaunchDarkly(): Promise<LaunchDarklyServer> {
  const flags = new Map<string, Record<string, unknown>>()
  const streams = new Set<ServerResponse>()
  const waiting = new Set<() => void>()
  const events: Record<string, unknown>[] = []
  let version = 1
  let refusal: number | undefined
  let stalled = false
  let requests = 0

  const all = (): unknown => ({ flags: Object.fromEntries(flags), segments: {} })
  const send = (to: ServerResponse, event: string, data: unknown): void => {
    to.write(`event: ${event}\ndata: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`)
  }
  const broadcast = (event: string, data: unknown): void => {
    for (const stream of streams) send(stream, event, data)
  }

  function answer(request: IncomingMessage, response: ServerResponse): void {
    if (refusal !== undefined) {
      response.writeHead(refusal).end()
    } else if (request.url?.startsWith('/all')) {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      streams.add(response)
      send(response, 'put', { path: '/', data: all() })
    } else {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(all()))
    }
  }

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request
    if (method === 'POST') {
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part as Buffer)
      if (url.startsWith('/bulk')) events.push(...(JSON.parse(Buffer.concat(parts).toString('utf8')) as []))
      response.writeHead(202).end()
      return
    }
    requests++
    const go = (): void => {
      waiting.delete(go)
      if (!response.destroyed) answer(request, response)
    }
    response.on('close', () => {
      streams.delete(response)
      waiting.delete(go)
    })
    if (stalled) waiting.add(go)
    else go()
  }

  const server = createServer((request, response) => {
    response.on('error', () => undefined)
    take(request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  function setFlag(key: string, flag: Flag): void {
    const data = {
      key,
      version: ++version,
      on: true,
      salt: key,
      offVariation: 0,
      fallthrough: { variation: 0 },
      targets: [],
      contextTargets: [],
      rules: [],
      prerequisites: [],
      trackEvents: false,
      clientSide: false,
      ...flag,
    }
    flags.set(key, data)
    broadcast('patch', { path: `/flags/${key}`, data })
  }

  return {
    uris: { baseUri: url, streamUri: url, eventsUri: url },
    get streams() {
      return streams.size
    },
    get requests() {
      return requests
    },
    events,
    setFlag,
    setValue: (key, value) => setFlag(key, { variations: [value] }),
    remove: (key) => {
      flags.delete(key)
      broadcast('delete', { path: `/flags/${key}`, version: ++version })
    },
    putAgain: () => broadcast('put', { path: '/', data: all() }),
    sendGarbage: () => broadcast('put', '{"path": "/", "data": {"flags": '),
    cut: () => {
      for (const stream of streams) stream.destroy()
      streams.clear()
    },
    refuse: (status) => {
      refusal = status
    },
    stall: () => {
      stalled = true
    },
    accept: () => {
      refusal = undefined
      stalled = false
      for (const go of waiting) go()
    },
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
