// @fastify/postgres over the facade: it makes its pool by the `pg` that it is given, here a view of its own.
import fastifyPostgres from '@fastify/postgres'
import type { FastifyInstance } from 'fastify'
import pg from 'pg'
import type { Cutover } from '../src/index.js'

export async function registerPostgres(
  app: FastifyInstance,
  cutover: Cutover,
  log: (error: Error) => void = console.error,
): Promise<void> {
  const Pool = function Pool(): pg.Pool {
    const pool = cutover.createPool()
    // The plugin does not listen: as with any pg.Pool, an idle connection that breaks would end the process.
    pool.on('error', log)
    // Called with `new`: what a constructor returns is what `new` gives.
    return pool
  }
  const over = { Pool: Pool as unknown as typeof pg.Pool, Client: cutover.Client }
  await app.register(fastifyPostgres, { pg: { ...pg, ...over } })
}

/** At shutdown: the application, whose plugin ends its view, then the migration with its connections. */
export async function shutDown(app: FastifyInstance, cutover: Cutover): Promise<void> {
  await app.close()
  await cutover.end()
}
