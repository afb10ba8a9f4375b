// @fastify/postgres, as the data layer contract knows it.
import fastifyPostgres from '@fastify/postgres'
import fastify, { type FastifyInstance } from 'fastify'
import { inTransaction } from '../../../examples/pg.js'
import { registerPostgres } from '../../../examples/fastify-postgres.js'
import { pgCode, pgSession } from './pg-session.js'
import type { DataLayer, OpenOptions, Session } from './subject.js'

const noticed = (): void => undefined

export const fastifyPostgresLayer: DataLayer = {
  name: '@fastify/postgres',
  packages: ['@fastify/postgres', 'fastify', 'pg'],
  handIn:
    'app.register(fastifyPostgres, { pg: { ...pg, Pool: function () { return cutover.createPool() } } })',
  special: 'the options of the pool are those of the migration',
  example: 'examples/fastify-postgres.ts',
  acquireTimeoutOf: 'pool',
  lacks: ['migrate'],
  openStock: async (url, options) => session(await openStock(url, options)),
  async openFacade(cutover) {
    const app = fastify()
    await registerPostgres(app, cutover, noticed)
    return session(app)
  },
  sqlState: pgCode,
}

async function openStock(
  connectionString: string,
  { max, acquireTimeoutMillis }: OpenOptions,
): Promise<FastifyInstance> {
  const timeout = acquireTimeoutMillis === undefined ? {} : { connectionTimeoutMillis: acquireTimeoutMillis }
  const app = fastify()
  await app.register(fastifyPostgres, { connectionString, max, ...timeout })
  app.pg.pool.on('error', noticed)
  // Without it, the death of a checked-out client ends the process; the facade listens by itself.
  app.pg.pool.on('connect', (client) => client.on('error', noticed))
  return app
}

function session(app: FastifyInstance): Session {
  const { pool } = app.pg
  return pgSession(
    pool,
    // The plugin's own transaction takes no isolation level.
    (work, begin) => (begin === undefined ? app.pg.transact(work) : inTransaction(pool, work, begin)),
    () => app.close(),
  )
}
