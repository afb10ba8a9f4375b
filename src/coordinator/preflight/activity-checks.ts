// Checks of what is going on in the servers: open transactions, room for connections, jobs, standbys.
import { bothSides, listed } from './check.js'
import type { Check, Context } from './check.js'
import type { SideFacts, TransactionFacts } from './facts.js'
import { setServer } from './managed.js'

/** Preparing waits about as long for one to end, and then gives up. */
const LONG_SECONDS = 5
/** In other databases only what holds up the making of a slot matters, and that is made once. */
const LONG_ELSEWHERE_SECONDS = 60

const isLong = ({ m }: Context, { seconds, elsewhere }: TransactionFacts): boolean =>
  elsewhere === null
    ? seconds >= LONG_SECONDS
    : m.mirror === 'replication' && seconds >= LONG_ELSEWHERE_SECONDS

const shown = ({ who, pid, seconds, elsewhere }: TransactionFacts): string =>
  `${who}, pid ${pid}, ${seconds} s${elsewhere === null ? '' : `, in database ${elsewhere}`}`

const transactionsFound = (context: Context, idle: boolean, what: string) =>
  bothSides(context, ({ transactions }, side) => {
    const found = transactions.filter((one) => one.idle === idle && isLong(context, one))
    if (found.length === 0) return []
    return [
      {
        side,
        object: listed(found.map(({ who }) => who)),
        message: `transactions are ${what} on the ${side} side: ${listed(found.map(shown))}`,
        fix: found.map(({ pid }) => `select pg_terminate_backend(${pid})`).join('; '),
      },
    ]
  })

/** Before any is reserved for the side that is opened. */
const free = ({ connections }: SideFacts): number => connections.limit - connections.used

export const ACTIVITY_CHECKS = {
  'long-transaction': {
    severity: 'warning',
    why: 'Making a slot waits for it, and the hold of a cutover would. Preparing refuses over a transaction that does not end.',
    find: (context) => transactionsFound(context, false, `running for ${LONG_SECONDS} s or longer`),
  },
  'idle-transaction': {
    severity: 'warning',
    why: 'Nobody knows when it ends. Until then its locks keep the fence from being made, and the drain waits in vain.',
    find: (context) =>
      transactionsFound(context, true, `open for ${LONG_SECONDS} s or longer with nobody working in them`),
  },
  'connection-room': {
    severity: 'warning',
    why: 'At the flip every process opens its pool on the side that is opened. Beyond the limit the server refuses, and preparing or the application fails.',
    find: (context) => {
      const { facts, from, to } = context
      const { pool, connections } = facts[to]
      const coming = facts[from].connections.application - connections.application
      const byServer = free(facts[to]) < coming
      const byRole = pool !== null && pool.connectionLimit >= 0 && pool.connectionLimit < coming
      if (coming <= 0 || (!byServer && !byRole)) return []
      return [
        {
          side: to,
          object: byServer ? 'max_connections' : (pool?.role ?? ''),
          message: byServer
            ? `the application has ${coming} more connections on the ${from} side than on the ${to} one, which has room for ${Math.max(0, free(facts[to]))} more (${connections.used} of ${connections.limit} are in use)`
            : `the application has ${coming} more connections on the ${from} side than on the ${to} one, where role "${pool?.role}" may have ${pool?.connectionLimit}`,
          fix: byServer
            ? `${setServer(facts[to], 'max_connections', String(connections.limit + coming), 'restart the server')}; or give the pools a smaller max`
            : `alter role "${pool?.role}" connection limit -1`,
        },
      ]
    },
  },
  'scheduled-job': {
    severity: 'warning',
    why: 'A job that writes fails at the fence on the side that was left, and on the other it runs before its time: its rows collide with the mirrored ones.',
    find: (context) =>
      bothSides(context, (_, side) => {
        const jobs = context.jobs[side]
        if (jobs.length === 0) return []
        return [
          {
            side,
            object: listed(jobs),
            message: `jobs run inside of the ${side} server by themselves: ${listed(jobs)}`,
            fix:
              side === context.from
                ? `after the cutover: update cron.job set active = false (pgAgent: update pgagent.pga_job set jobenabled = false), and make them on the ${context.to} side`
                : 'until the cutover: update cron.job set active = false (pgAgent: update pgagent.pga_job set jobenabled = false)',
          },
        ]
      }),
  },
  'physical-standby': {
    severity: 'warning',
    why: 'A standby follows its server, not the migration: reads that are sent to it stay at the moment of the cutover for ever.',
    find: ({ facts, from, to }) =>
      facts[from].standbys.length === 0
        ? []
        : [
            {
              side: from,
              object: listed(facts[from].standbys),
              message: `standbys follow the ${from} server: ${listed(facts[from].standbys)}`,
              fix: `make standbys of the ${to} server too, and point who reads from them there`,
            },
          ],
  },
} as const satisfies Record<string, Check>
