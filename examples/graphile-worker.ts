// graphile-worker over the facade: anybody may add jobs at any time, and the workers pause while this process moves.
import { makeWorkerUtils, run, type Runner, type RunnerOptions, type TaskList } from 'graphile-worker'
import type { Cutover } from '../src/index.js'

export interface JobQueue {
  add(task: string, payload: object): Promise<unknown>
  close(): Promise<void>
}

export async function openJobQueue(
  cutover: Cutover,
  taskList: TaskList,
  options: Pick<RunnerOptions, 'concurrency' | 'pollInterval' | 'logger'> = {},
): Promise<JobQueue> {
  const pgPool = cutover
    .createPool()
    .on('error', console.error)
    .on('connect', (client) => client.on('error', console.error))

  let runner: Runner
  const workers = await cutover.supervise({
    name: 'graphile-worker',
    async start() {
      // The service handles the signals itself, see close().
      runner = await run({ ...options, pgPool, taskList, noHandleSignals: true })
    },
    // Gives back the client that it keeps for LISTEN, which would stand in the way of a move.
    stop: () => runner.stop(),
  })

  const utils = await makeWorkerUtils({ ...options, pgPool })
  return {
    add: (task, payload) => utils.addJob(task, payload),
    async close() {
      await workers.close()
      await utils.release()
      await pgPool.end()
    },
  }
}
