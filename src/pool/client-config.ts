// What a client of `cutover.Client` connects with: the side says where and as whom, the library says the rest.
import { pg, type InnerPool } from './pg-internals.js'

/** How a session begins and how its client behaves; pg takes these from options, from the URL and from the environment. */
const SESSION_KEYS = [
  'application_name',
  'fallback_application_name',
  'client_encoding',
  'options',
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'query_timeout',
] as const

/** What is the client's alone, and is never taken from the pool of a side. */
const CLIENT_KEYS = ['Promise', 'binary', 'pipeline', 'connectionTimeoutMillis', 'queryMode'] as const

/** What the network path to a side needs. */
const PATH_KEYS = ['stream', 'enableChannelBinding', 'scramMaxIterations'] as const

const KEEP_ALIVE_KEYS = ['keepAlive', 'keepAliveInitialDelayMillis'] as const

type Loose = Record<string, unknown>

export interface GivenConfig extends pg.ClientConfig {
  readonly Promise?: PromiseConstructor
}

/** What a library handed to the constructor, read as pg reads it. */
export const givenConfig = (config: string | pg.ClientConfig | undefined): GivenConfig =>
  typeof config === 'string' ? { connectionString: config } : (config ?? {})

/**
 * The config for one side. In single fields, since the parameters of a URL win over what is given beside it. Password and
 * ssl go by reference: the one may be a function, and a copy of the other loses its key.
 */
export function clientConfig({ options }: InnerPool, given: GivenConfig): pg.ClientConfig {
  const usualOfSide: Loose = { ...options }
  const own: Loose = { ...given }
  const there = readByPg(options)
  const { host, port, user, database, ssl, sslnegotiation } = there.connectionParameters
  const config: Loose = { host, port, user, database, ssl, sslnegotiation, password: there.password }
  const session = there.connectionParameters
  const wanted = readByPg({ ...given, password: '' }).connectionParameters
  const usual = readByPg({}).connectionParameters
  for (const key of SESSION_KEYS) config[key] = wanted[key] === usual[key] ? session[key] : wanted[key]
  for (const key of PATH_KEYS) config[key] = usualOfSide[key]
  for (const key of KEEP_ALIVE_KEYS) config[key] = own[key] ?? usualOfSide[key]
  for (const key of CLIENT_KEYS) config[key] = own[key]
  return config
}

/** pg's own reading of options, URL and environment, without a socket. */
function readByPg(config: pg.ClientConfig): { connectionParameters: Loose; password: unknown } {
  const password = config.password
  const client = new pg.Client({ ...config, password, connection: {} } as pg.ClientConfig)
  return client as unknown as { connectionParameters: Loose; password: unknown }
}
