// Derives what the coordinator needs to reach the databases from what the application gave for its pools.
import pg from 'pg'
import type { Side } from '../phase/phases.js'
import type { ResolvedOptions } from './read-options.js'

// Everything that tells pg where and as whom to connect. The rest of a pool's options (application_name, timeouts,
// types, hooks) is about the application's own sessions.
const CONNECTION_KEYS = [
  'connectionString',
  'host',
  'port',
  'database',
  'user',
  // Non-enumerable in a pool's options, so a spread would lose it.
  'password',
  // By reference: a copy loses its non-enumerable key.
  'ssl',
  'sslnegotiation',
  'enableChannelBinding',
  'stream',
  'keepAlive',
] as const satisfies readonly (keyof pg.ClientConfig)[]

/** The config of the control connection to a side: its own, or what the pool of that side connects with. */
export function controlConfig(options: ResolvedOptions, side: Side): pg.ClientConfig {
  return options.control?.connections[side] ?? poolAddress(options, side)
}

/** Where, and as whom, the pool of a side connects; nothing of how its sessions are. */
export function poolAddress(options: ResolvedOptions, side: Side): pg.ClientConfig {
  const given = options.pools[side]
  const from: pg.PoolConfig = given instanceof pg.Pool ? given.options : given
  return Object.fromEntries(
    CONNECTION_KEYS.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]])),
  )
}

/** As whom the pool of a side connects. */
export const poolRole = (options: ResolvedOptions, side: Side): string | undefined =>
  new pg.Client(poolAddress(options, side)).user

/** The libpq connection string by which the other side's server reaches this side. Secret. */
export function reachedBy(options: ResolvedOptions, side: Side): string {
  const own = options.control?.reachedBy[side]
  if (own !== undefined) return own
  const { host, port, database, user, password, ssl } = new pg.Client(controlConfig(options, side))
  const parts = {
    host,
    port: String(port),
    dbname: database,
    user,
    password: typeof password === 'string' ? password : undefined,
    sslmode: ssl ? 'require' : undefined,
  }
  return Object.entries(parts)
    .filter((part): part is [string, string] => part[1] !== undefined && part[1] !== null)
    .map(([key, value]) => `${key}='${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`)
    .join(' ')
}

/** What the service calls itself towards the servers. */
export function serviceName(options: ResolvedOptions, side: Side): string | undefined {
  const given = options.pools[side]
  return (given instanceof pg.Pool ? given.options : given).application_name
}
