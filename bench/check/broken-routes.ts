// What somebody might add to each query without a thought, as routes in place of the one at rest.
import { AsyncLocalStorage } from 'node:async_hooks'
import type pg from 'pg'
import type { Route } from '../../src/pool/route.js'

const FLAG = 'orders-database'

export interface Broken {
  route(inner: pg.Pool): Route
  close?(): Promise<void>
}

type Query = (text: unknown, values: unknown) => unknown

const querying =
  (make: (inner: Query) => Query): Broken['route'] =>
  (pool) => ({
    query: make((text, values) => pool.query(text as string, values as unknown[])),
    connect: () => pool.connect(),
  })

const only = (make: (inner: Query) => Query) => (): Promise<Broken> =>
  Promise.resolve({ route: querying(make) })

/** Nothing is added: another route alone must not fail a gate. */
class PlainRoute implements Route {
  readonly #inner: pg.Pool

  constructor(inner: pg.Pool) {
    this.#inner = inner
  }

  query(text: unknown, values: unknown): unknown {
    return this.#inner.query(text as string, values as unknown[])
  }

  connect(): unknown {
    return this.#inner.connect()
  }
}

const plain = (): Promise<Broken> => Promise.resolve({ route: (inner) => new PlainRoute(inner) })

const asynchronous = only((inner) => async (text, values) => inner(text, values))

const withFinally = only((inner) => {
  let inFlight = 0
  return (text, values) => {
    inFlight++
    return (inner(text, values) as Promise<unknown>).finally(() => inFlight--)
  }
})

const withContext = only((inner) => {
  const storage = new AsyncLocalStorage<string>()
  return (text, values) => storage.run('old', () => inner(text, values))
})

/** Where it is kept, so that no compiler does without it. */
const last: { config?: unknown } = {}

const withCopy = only((inner) => (text, values) => {
  const config = { text, values }
  last.config = config
  return inner(config.text, config.values)
})

/** What LaunchDarkly's own guide does: the flag is asked each time. */
async function withFlag(): Promise<Broken> {
  // Large, and of use to nobody else here.
  const { CONTEXT, startFlagClients } = await import('../flag-clients.js')
  const clients = await startFlagClients(FLAG, 'old')
  const evaluated =
    (inner: Query): Query =>
    async (text, values) => {
      await clients.launchDarkly9.variation(FLAG, CONTEXT, 'old')
      return inner(text, values)
    }
  return { route: querying(evaluated), close: () => clients.close() }
}

export const BROKEN_ROUTES = {
  plain,
  async: asynchronous,
  finally: withFinally,
  context: withContext,
  copy: withCopy,
  flag: withFlag,
}
