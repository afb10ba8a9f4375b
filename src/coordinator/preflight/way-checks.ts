// Checks of how the relay may write: as a replica, or plainly, for which the tables must have nothing that acts by itself.
import { quoteIdent } from '../../control/names.js'
import type { Side } from '../../phase/phases.js'
import { bothSides, DUAL_WRITE, listed } from './check.js'
import type { Check, Context } from './check.js'
import { nameOf } from './facts.js'
import type { SideFacts, TableFacts } from './facts.js'
import { setReplicaRole } from './managed.js'

export const WAY_CHECKS = {
  'privilege-replica-role': {
    severity: 'error',
    why: 'Written plainly, a mirrored row would fire triggers, cascade and be checked a second time, so these tables cannot be mirrored.',
    mirrors: DUAL_WRITE,
    find: (context) =>
      bothSides(context, (facts, side) => {
        const acting = isPlain(context, side) ? facts.tables.filter((table) => actsOf(table).length > 0) : []
        if (acting.length === 0) return []
        return [
          {
            side,
            object: listed(acting.map(nameOf)),
            message: `role "${facts.role.session}" may not set session_replication_role on the ${side} side; without it these tables cannot be mirrored to: ${listed(acting.map((table) => `${nameOf(table)} (${actsOf(table).join(', ')})`))}`,
            fix: replicaGrant(facts),
          },
        ]
      }),
  },
  'plain-way': {
    severity: 'warning',
    why: 'The fence knows the relay by the name of its role alone. Whoever else connects as it writes past the fence.',
    mirrors: DUAL_WRITE,
    find: (context) =>
      bothSides(context, (facts, side) =>
        !isPlain(context, side) || facts.tables.some((table) => actsOf(table).length > 0)
          ? []
          : [
              {
                side,
                object: facts.role.session,
                message: `role "${facts.role.session}" may not set session_replication_role on the ${side} side, so the fence lets it pass by its name: nobody else may connect as it, and no foreign key, trigger or second unique key may be added to a table in scope`,
                fix: replicaGrant(facts),
              },
            ],
      ),
  },
  'relay-role': {
    severity: 'error',
    why: 'The fence would let the application pass together with the relay: both sides could be written at once.',
    mirrors: DUAL_WRITE,
    find: (context) =>
      bothSides(context, (facts, side) =>
        isPlain(context, side) && context.m.poolRoles?.[side] === facts.role.session
          ? [
              {
                side,
                object: facts.role.session,
                message: `role "${facts.role.session}" may not set session_replication_role on the ${side} side, and it is the one of the application's pool: a fence that lets it pass would let the application pass`,
                fix: `${replicaGrant(facts)}; or give a role of its own in the option control: create role pg_cutover_relay login password …; grant ${owners(facts)} to pg_cutover_relay`,
              },
            ]
          : [],
      ),
  },
  'replica-session': {
    severity: 'error',
    why: 'Triggers do not fire in such sessions, so neither the fence nor the record sees what they write.',
    find: (context) =>
      bothSides(context, ({ replicaRoles, settings, database }, side) => {
        const where =
          replicaRoles.length === 0 && settings['session_replication_role'] === 'replica'
            ? ['the configuration']
            : replicaRoles.map((role) =>
                role === '' ? `database ${quoteIdent(database.name)}` : `role ${role}`,
              )
        return where.map((object) => ({
          side,
          object,
          message: `${object} sets session_replication_role to replica on the ${side} side: what such sessions write passes the fence, and is not recorded`,
          fix: object.startsWith('the')
            ? 'alter system reset session_replication_role, then reload the configuration'
            : `alter ${object} reset session_replication_role -- for a role in one database: alter role … in database ${quoteIdent(database.name)} reset …`,
        }))
      }),
  },
} as const satisfies Record<string, Check>

const isPlain = ({ relay }: Context, side: Side): boolean => relay?.ways[side] === 'plain'

/** What would act by itself when a row is written plainly. */
function actsOf(table: TableFacts): string[] {
  const { foreignKeys, userTriggers, exclusions, unique, rules } = table
  return [
    ...foreignKeys.map((name) => `foreign key ${name}`),
    ...userTriggers.map((name) => `trigger ${name}`),
    ...(exclusions.length > 0 ? ['exclusion constraint'] : []),
    ...(unique.length > 1 ? ['second unique key'] : []),
    ...rules.filter(({ enabled }) => enabled !== 'D').map(({ name }) => `rule ${name}`),
  ]
}

const replicaGrant = (facts: SideFacts): string => {
  const { role, version } = facts
  const there = setReplicaRole(facts)
  if (there !== undefined) return there
  return version >= 150_000
    ? `grant set on parameter session_replication_role to ${quoteIdent(role.session)} -- as a superuser`
    : `alter role ${quoteIdent(role.session)} superuser -- before version 15 only a superuser may`
}

const owners = ({ tables }: SideFacts): string =>
  [...new Set(tables.map(({ owner }) => quoteIdent(owner)))].join(', ')
