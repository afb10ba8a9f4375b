// A further pool to a side whose sessions are set up as the application's own are, and can only read.
import pg from 'pg'
import { innerPool, type InnerClient, type InnerPool } from './pg-internals.js'
import type { SidePool } from './side-pool.js'

export interface ReadOnlyPoolOptions {
  /** Begins with `pg-cutover`, so that a drain and the report of rogue writers leave these sessions out. */
  readonly applicationName: `pg-cutover ${string}`
  readonly max: number
  /** Parameters to be set in each session on top, as texts. */
  readonly settings?: Readonly<Record<string, string>>
}

type Verify = NonNullable<pg.PoolConfig['verify']>

/** Clients whose listeners to `connect` have thrown. */
const refused = new WeakMap<object, Error>()

// A server that does not answer is not waited for longer than this.
const GOODBYE_MILLIS = 1_000

/**
 * Opens nothing yet. Each session runs what the application runs for its own: the pool's `onConnect`, its `verify`, and the
 * listeners to `connect` of a handed-in pool and of the facade's views. Idle connections do not keep the process alive, and
 * none of their failures is told to anybody. Connecting fails where a pooler answers in the place of the server.
 */
export function readOnlyPool(
  side: SidePool,
  { applicationName, max, settings }: ReadOnlyPoolOptions,
): InnerPool {
  const { inner } = side
  // Absent, pg-pool's `password` would be taken for given and empty; present, it is not enumerable.
  const { password, verify } = inner.options
  const pool = innerPool(
    new pg.Pool({
      ...inner.options,
      ...(password === undefined ? {} : { password }),
      Client: inner.Client,
      Promise: undefined,
      application_name: applicationName,
      max,
      min: 0,
      maxUses: Infinity,
      maxLifetimeSeconds: 0,
      idleTimeoutMillis: 0,
      allowExitOnIdle: true,
      log: () => {},
      verify: verifyWith(verify, { application_name: applicationName, ...settings }),
    }),
  )
  pool.on('error', () => {})
  pool.on('connect', (client) => {
    // One that dies while it is out and has no listener would end the process.
    client.on('error', () => {})
    try {
      for (const listener of inner.listeners('connect'))
        if (listener !== side.watch) Reflect.apply(listener, inner, [client])
    } catch (error) {
      // It is a connection that nobody of the application has asked for.
      refused.set(client, error instanceof Error ? error : new Error(String(error)))
    }
  })
  return pool
}

/**
 * Closes what is idle at once, and what is `inUse` when it comes back; without that, all that is out. What is being opened
 * or set up is given up, since the server may never answer.
 */
export async function closeReadOnlyPool(pool: InnerPool, inUse?: ReadonlySet<InnerClient>): Promise<void> {
  if (pool.ending) return
  const idle = pool._idle.map(({ client }) => client)
  const given = pool._clients.filter((client) =>
    inUse === undefined ? client._connected === false : !idle.includes(client) && !inUse.has(client),
  )
  const ended = pool.end()
  for (const client of given) client.connection?.stream.destroy()
  const goodbye = setTimeout(() => {
    for (const client of idle) client.connection?.stream.destroy()
  }, GOODBYE_MILLIS)
  await ended
  clearTimeout(goodbye)
}

/**
 * What the application wants to see of a new session comes first: it may insist on one that can write. Ours is set in the
 * session, since the parameters of a URL win over what is given beside it, and only if the backend is the one that was
 * connected to: behind a pooler the next statement, of somebody else, would run in a session that refuses writes.
 */
function verifyWith(verify: Verify | undefined, settings: Readonly<Record<string, string>>): Verify {
  const all = Object.entries({ ...settings, default_transaction_read_only: 'on' }).map(
    ([name, value]) => `pg_catalog.set_config(${literal(name)}, ${literal(value)}, false)`,
  )
  const setUp: Verify = (client, done) => {
    const error = refused.get(client)
    if (error) return done(error)
    const { processID: processId } = client as unknown as InnerClient
    const text = `select ${all.join(', ')} where pg_catalog.pg_backend_pid() = ${processId ?? 0}`
    client.query(text, (error: Error | undefined, result: pg.QueryResult | undefined) => {
      if (error) done(error)
      else if (result?.rows.length === 1) done()
      else done(new Error('a pooler stands before the server, so that no session is known to be read-only'))
    })
  }
  if (verify === undefined) return setUp
  return (client, done) => verify(client, (error) => (error ? done(error) : setUp(client, done)))
}

const literal = (text: string): string => pg.escapeLiteral(text)
