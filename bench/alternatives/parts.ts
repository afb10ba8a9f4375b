// What the page says about the alternatives: the question of each part, how it was answered, and what could not be tried.
import { MAX } from '../clients/contender.js'
import type { Outcome } from '../outcome.js'
import type { Part } from '../report.js'
import type { Changed } from './change.js'
import { CONNECTIONS } from './movers.js'
import { WRITES_A_SECOND } from './paced-writes.js'
import { CALLERS, type Rest, type RestSizes } from './rest.js'

const CORES = 'Both servers, PgBouncer and this process share the cores of the machine.'

const AT_REST_NOTES = [
  "`pg-cutover` is in direct mode, in phase `old`. LaunchDarkly's `createMigration` is in stage `off`, with a flag service on loopback, and none of its events is sampled, so that nothing is sent or counted for them. The AWS wrapper is told that it talks to a plain Postgres (`dialect: 'pg'`) and is used through its own pool, each call with a checkout and a release: the `query` of that pool leaves a listener on the connection at each call (aws/aws-advanced-nodejs-wrapper issue 598), and grows dearer with every one. The read-replicas extension has the same database as its only replica.",
]

export function restParts(measured: Rest, { quads, alone, together }: RestSizes): Part[] {
  const how = (callers: number, queries: number, of: string): string =>
    `${of}, by ${callers === 1 ? 'one caller' : `${callers} callers`}: a row by its key, and for the rows that say so an update of one. A real server, ${MAX} connections for each,
${quads} quads A B B A of ${queries} queries (half of that for writes and Prisma). The base is 1; \`against itself\` is the base on a second pool. ${CORES}
In brackets the version, and what the base took.`
  const bars = (title: string): NonNullable<Part['picture']> => ({ kind: 'bars', title, unit: '×' })
  return [
    {
      title: 'What does a query at rest take through the alternatives, one caller?',
      how: how(CALLERS.alone, alone, 'Time of a query'),
      outcomes: measured.alone,
      picture: bars('Time of a query, one caller'),
      notes: AT_REST_NOTES,
    },
    {
      title: 'What does a query at rest take through the alternatives, 64 callers?',
      how: how(CALLERS.together, together, 'Time of a query'),
      outcomes: measured.together,
      picture: bars('Time of a query, 64 callers'),
    },
    {
      title: 'What CPU time of the process does a query at rest take through the alternatives?',
      how: how(CALLERS.together, together, 'CPU time of this process'),
      outcomes: measured.cpu,
      picture: bars('CPU time of the process a query, 64 callers'),
      notes: [
        'What PgBouncer itself takes is not in this: its process is another one. The table of throughput tells it.',
      ],
    },
    {
      title: 'How many queries are there in the same time, through a proxy and through the facade?',
      how: `From the same slices: as many as of pg alone is 1. The CPU time of the process of PgBouncer is from one more run of ${together * 4} queries.`,
      outcomes: measured.throughput,
    },
  ]
}

const RECIPES = {
  bare: `\`pg-cutover\` in direct mode, one process: hold, drain, flip. PgBouncer in transaction mode: \`PAUSE\`, its file with the other server, \`RELOAD\`, \`RESUME\`.
LaunchDarkly's \`createMigration\` from \`off\` to \`complete\`: each call goes where the flag says. No data is moved by any of them.`,
  data: `\`pg-cutover\` in coordinated mode, one member, mirror by replication: all its steps, with fence, proof and the way back prepared. PgBouncer with what an operator does by hand: a
subscription on the other server beforehand, and between \`PAUSE\` and \`RELOAD\` a mark that is waited for there, over connections that are open. The reverse subscription is made
while nobody writes, outside of what is measured.`,
} as const

export const changePart = (kind: keyof typeof RECIPES, { times }: Changed, quads: number): Part => ({
  title:
    kind === 'bare'
      ? 'How much longer does a write take while the database is switched?'
      : 'How much longer does a write take while the database is moved with its data?',
  how: `${RECIPES[kind]}
${WRITES_A_SECOND} writes a second from one process, each sent when it is due whether or not those before were answered, ${CONNECTIONS} connections at most; there and back in
${quads} quads A B B A. Added: the longest write, from the moment when it was due, above the median before the change. At the flip: of the writes that were under way at some moment
between the last answer of the server that was left and the first of the other, which is the pause. In the whole change: of all that were answered after it began, with what goes before the pause and after it; against itself: the
same for as long with no change. Pause: the last answer of the server that was left to the first of the other. ${CORES}`,
  outcomes: times,
  picture: {
    kind: 'bars',
    title: kind === 'bare' ? 'A switch under load' : 'A move with its data under load',
    unit: 'ms',
  },
  ...(kind === 'bare' && {
    notes: [
      'A pause below 0 is none: the one side goes on while the other has begun, as nothing is held and nothing drained.',
    ],
  }),
})

export const verdictPart = (verdicts: readonly Outcome[]): Part => ({
  title: 'Is a change at most half as long for its callers as with PgBouncer, and is anything lost?',
  how: `From the same moves: the mean of a quad through pg-cutover to that through PgBouncer, median of the quads; against itself is each quad of pg-cutover to the one
before. The limit is for the flip: the whole change of pg-cutover is longer by what it prepares before anybody waits and tidies up afterwards, and the longer one looks, the longer the longest write is. Then what was counted: writes that failed, writes that were acknowledged and that no server has afterwards, and writes that one side did after the other had begun.`,
  outcomes: verdicts,
  notes: [
    'The two do not do the same with the data: pg-cutover has the database that is left refuse every further write, whoever sends it, before it proves that nothing is missing; the pause of PgBouncer stops only who goes through it.',
    'PgBouncer closes its connections to the server when it pauses, and opens the first to the other one when it resumes; pg-cutover opens them before it holds anybody.',
    '`server_login_retry` of PgBouncer is 0.1 s and not its default of 15 s, by which it would wait where a login was under way at the pause.',
    'The AWS wrapper has a switch of its own for the blue/green deployments of RDS and Aurora, which it learns of from tables that only those have: it cannot be tried on a plain Postgres.',
    '`@prisma/extension-read-replicas` sends reads to replicas and has no way to change who takes writes. pg alone has no switch at all.',
  ],
})
