// The chapters of the page of figures in their order, and the runs whose reports each of them shows.

export interface Run {
  readonly name: string
  /** Over pools and clients that answer at once: a run of its own, kept beside the one with servers. */
  readonly stub: boolean
}

export interface Chapter {
  readonly title: string
  readonly runs: readonly Run[]
}

const run = (name: string): Run => ({ name, stub: false })
const stub = (name: string): Run => ({ name, stub: true })

export const CHAPTERS: readonly Chapter[] = [
  { title: 'At rest', runs: [stub('facade'), run('facade')] },
  { title: 'To know the phase', runs: [run('lookup')] },
  { title: 'Through a library', runs: [run('clients')] },
  { title: 'Loading', runs: [run('load')] },
  { title: 'To know what a text is', runs: [run('reads')] },
  { title: 'The pause', runs: [run('pause')] },
  { title: 'Held queries', runs: [stub('hold'), run('hold')] },
  { title: 'From the flag to the route', runs: [stub('flip'), run('flip')] },
  { title: 'Comparing reads', runs: [stub('shadow'), run('shadow')] },
  { title: 'Dual-write', runs: [run('dual-write')] },
  { title: 'A fleet', runs: [run('fleet')] },
  { title: 'The alternatives', runs: [run('alternatives')] },
]

export const RUNS: readonly Run[] = CHAPTERS.flatMap(({ runs }) => runs)

/** The name of its files. */
export const runId = ({ name, stub }: Run): string => (stub ? `${name}-stub` : name)

export const isRun = ({ name, stub }: Run): boolean =>
  RUNS.some((one) => one.name === name && one.stub === stub)
