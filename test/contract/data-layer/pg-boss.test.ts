// pg-boss through its example: real jobs, added all the time, through a cutover and the way back.
import PgBoss from 'pg-boss'
import { expect, it } from 'vitest'
import { openJobQueue } from '../../../examples/pg-boss.js'
import { proveJobQueue } from './job-queue.js'

const POLL_SECONDS = 0.5

it('runs every job once through a cutover and the way back, and a failed one once more', async () => {
  const seen = await proveJobQueue({
    schema: 'pgboss',
    pollMillis: POLL_SECONDS * 1_000,
    async install(url) {
      const boss = new PgBoss({ connectionString: url, max: 2 })
      await boss.start()
      await boss.createQueue('mail')
      await boss.stop()
    },
    async open(cutover, runJob) {
      const queue = await openJobQueue(cutover, (boss) =>
        boss.work<{ key: string }>(
          'mail',
          { batchSize: 500, pollingIntervalSeconds: POLL_SECONDS },
          // Each by itself: what a worker throws fails the whole batch.
          (batch) =>
            Promise.all(
              batch.map(({ id, data }) =>
                runJob(data.key).catch((error: Error) => boss.fail('mail', id, error)),
              ),
            ),
        ),
      )
      return { add: (key) => queue.add('mail', { key }), close: () => queue.close() }
    },
    // It is run again at the next look.
    hasten: () => Promise.resolve(),
    unfinished: `select count(*)::int as n from pgboss.job where name = 'mail' and state <> 'completed'`,
  })
  expect(seen).toContain('jobs')
  console.log(`pg-boss: ${seen}`)
}, 120_000)
