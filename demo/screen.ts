// Runs the stages one after the other and shows them: a task list on a terminal, plain lines elsewhere.
import { Listr } from 'listr2'
import type { Run } from './run.js'
import type { Stage } from './stages.js'

export function show(stages: readonly Stage[], run: Run, terminal: boolean): Promise<void> {
  return terminal ? asTaskList(stages, run) : asLines(stages, run, (text) => console.log(text))
}

export async function asLines(
  stages: readonly Stage[],
  run: Run,
  print: (text: string) => void,
): Promise<void> {
  for (const { title, run: work } of stages) {
    print(title)
    await work(run, { line: (text) => print(`    ${text}`), tick: () => undefined })
  }
}

async function asTaskList(stages: readonly Stage[], run: Run): Promise<void> {
  const list = new Listr(
    stages.map(({ title, run: work }) => ({
      title,
      task: async (_context, task) => {
        await work(run, {
          line: (text) => (task.output = text),
          tick: (text) => (task.title = `${title}   ${text}`),
        })
        task.title = title
      },
      rendererOptions: { outputBar: Number.POSITIVE_INFINITY, persistentOutput: true },
    })),
    {
      // Ours stops the servers first.
      registerSignalListeners: false,
      rendererOptions: { collapseErrors: false },
    },
  )
  await list.run()
}
