// graphile-worker through its example: real jobs, added all the time, through a cutover and the way back.
import { Logger, runMigrations } from 'graphile-worker'
import { expect, it } from 'vitest'
import { openJobQueue } from '../../../examples/graphile-worker.js'
import { proveJobQueue } from './job-queue.js'

const POLL_MILLIS = 500

const logger = new Logger(() => () => {})

it('runs every job once through a cutover and the way back, and a failed one once more', async () => {
  const seen = await proveJobQueue({
    schema: 'graphile_worker',
    pollMillis: POLL_MILLIS,
    install: (connectionString) => runMigrations({ connectionString, logger, maxPoolSize: 2 }),
    async open(cutover, runJob) {
      const queue = await openJobQueue(
        cutover,
        { mail: (payload) => runJob((payload as { readonly key: string }).key) },
        { concurrency: 4, pollInterval: POLL_MILLIS, logger },
      )
      return { add: (key) => queue.add('mail', { key }), close: () => queue.close() }
    },
    hasten: (pool) =>
      pool.query(
        `select graphile_worker.reschedule_jobs(array_agg(id), run_at := now())
           from graphile_worker._private_jobs where attempts > 0 and locked_at is null`,
      ),
    unfinished: 'select count(*)::int as n from graphile_worker._private_jobs',
  })
  expect(seen).toContain('jobs')
  console.log(`graphile-worker: ${seen}`)
}, 120_000)
