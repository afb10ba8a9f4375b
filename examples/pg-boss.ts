// pg-boss over the facade: anybody may add jobs at any time, and the workers pause while this process moves.
import PgBoss from 'pg-boss'
import type { Cutover } from '../src/index.js'

export interface JobQueue {
  add(queue: string, data: object): Promise<string | null>
  close(): Promise<void>
}

/** `work` registers the workers, with `boss.work(…)`; it is called again after each move. */
export async function openJobQueue(
  cutover: Cutover,
  work: (boss: PgBoss) => Promise<unknown>,
): Promise<JobQueue> {
  const pool = cutover.createPool()
  const newBoss = (): PgBoss =>
    new PgBoss({
      db: { executeSql: (text, values) => pool.query(text, values) },
      // Its schema is made on both databases before the migration begins.
      migrate: false,
    }).on('error', console.error)

  let boss: PgBoss
  const workers = await cutover.supervise({
    name: 'pg-boss',
    async start() {
      boss = newBoss()
      try {
        await boss.start()
        await work(boss)
      } catch (error) {
        await boss.stop({ graceful: false })
        throw error
      }
    },
    // Jobs that are not done by then are given back, and run again.
    stop: () => boss.stop({ timeout: 10_000 }),
  })

  // Never started, so there is nothing to stop: what it adds in a move waits with all other calls.
  const sender = newBoss()
  return {
    add: (queue, data) => sender.send(queue, data),
    async close() {
      await workers.close()
      await pool.end()
    },
  }
}
