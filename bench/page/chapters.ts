// The chapters of the page of figures in their order, and the runs whose reports each of them shows.

export interface Run {
  readonly name: string
  /** Over pools and clients that answer at once: a run of its own, kept beside the one with servers. */
  readonly stub: boolean
}

export interface Chapter {
  readonly title: string
  readonly runs: readonly Run[]
  /** Why a limit of these runs is missed, as far as it is known; shown where one is. Without figures, which are measured anew. */
  readonly missed?: string
}

const run = (name: string): Run => ({ name, stub: false })
const stub = (name: string): Run => ({ name, stub: true })

export const CHAPTERS: readonly Chapter[] = [
  { title: 'At rest', runs: [stub('facade'), run('facade')] },
  { title: 'To know the phase', runs: [run('lookup')] },
  {
    title: 'Through a library',
    runs: [run('clients')],
    missed:
      '`Prisma, pinned` asks on through an extension of its own, and any extension makes each operation of Prisma dearer: the line of one that does nothing tells what an extension takes, and the rest is the pin. A service that does not have to read at once what it has just written needs no pin.',
  },
  {
    title: 'Loading',
    runs: [run('load')],
    missed:
      'The main entry is some fifty modules that are found, read and linked one by one; what moves a database is loaded when it is first moved. A bundle would load faster and read worse in a stack trace.',
  },
  { title: 'To know what a text is', runs: [run('reads')] },
  {
    title: 'The pause',
    runs: [run('pause')],
    missed:
      "What is left are round trips that wait for one another: asking the fleet to hold, the server's view of open transactions, the fence, the mirror's way to the other side, two compare-and-set commits, and the first write there; with both servers, the mirror and the service on the cores of one machine. To look at open transactions inside the fence's block would save one of them, and was not tried. In the longest pauses it is not always the same step that took the time.",
  },
  {
    title: 'Held queries',
    runs: [stub('hold'), run('hold')],
    missed:
      'Not explained to the end: the queue of a plain `pg.Pool`, whose turns are told beside ours, comes near the same length.',
  },
  { title: 'From the flag to the route', runs: [stub('flip'), run('flip')] },
  {
    title: 'Comparing reads',
    runs: [stub('shadow'), run('shadow')],
    missed:
      'A comparison reads in a read-only transaction of its own on each side, with its own settings, and compares the rows: several times the statements of the read that was picked. They come after the answer, so that its caller does not wait for them, but the process and both servers pay.',
  },
  {
    title: 'Dual-write',
    runs: [run('dual-write')],
    missed:
      "Capture is a trigger in PL/pgSQL with the owner's rights and with settings of its own, which writes a record that has an index; a DELETE of many rows takes less than one record for each of them. Relay, backfill, lag and `applied` are CPU time of this process and of both servers, which share the cores of one machine here.",
  },
  { title: 'A fleet', runs: [run('fleet')] },
  {
    title: 'The alternatives',
    runs: [run('alternatives')],
    missed:
      "Half of PgBouncer's time would be less than what both have to wait for: the statements that are under way, the mirror where there is one, and the first writes of all callers at once on the other server. In about the same time ours asks the server for open transactions, fences the side that is left and decides by a commit on each side, which PgBouncer's switch does not do: whoever comes by another way writes on to the side that was left.",
  },
]

export const RUNS: readonly Run[] = CHAPTERS.flatMap(({ runs }) => runs)

/** The name of its files. */
export const runId = ({ name, stub }: Run): string => (stub ? `${name}-stub` : name)

export const isRun = ({ name, stub }: Run): boolean =>
  RUNS.some((one) => one.name === name && one.stub === stub)
