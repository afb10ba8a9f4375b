// Checks of what the application's roles may do: rights, and settings that their sessions begin with.
import { CONTROL_SCHEMA, quoteIdent, quoteLiteral } from '../../control/names.js'
import { nameAcross } from '../../mirror/mapping.js'
import { listed, quoteTable, tablePairs } from './check.js'
import type { Check, Context, Found, LackingGrant } from './check.js'
import { nameOf } from './facts.js'
import type { TableFacts } from './facts.js'
import { MEANING_SETTINGS } from './facts-sql.js'
import { settingValue } from './meaning-checks.js'
import { SERVICES } from './managed.js'

export const RIGHTS_CHECKS = {
  'pool-shut-out': {
    severity: 'error',
    // Before the mirror is made they are warned of: roles and their rights may come later.
    stage: 'cutover',
    why: 'From the flip on each statement of the application on it fails with "permission denied".',
    find: (context) =>
      poolFound(
        context,
        poolGaps(context).filter(({ isShut }) => isShut),
      ),
  },
  'pool-rights': {
    severity: 'warning',
    why: 'Statements that the application runs today fail with "permission denied" after the flip.',
    find: (context) =>
      poolFound(
        context,
        poolGaps(context).filter(({ isShut }) => !isShut || context.stage === 'mirror'),
      ),
  },
  'grant-missing': {
    severity: 'warning',
    why: 'Whoever works as this role today (another service, a report, a person) is refused after the cutover.',
    find: ({ lackingGrants, from, to }) =>
      [
        ...grouped(
          lackingGrants.filter(({ role }) => !isOfService(role)),
          ({ role }) => role,
        ),
      ].map(([role, grants]): Found => {
        const missing = grants.some(({ roleMissing }) => roleMissing)
        const who = role === '' ? 'public' : quoteIdent(role)
        return {
          side: to,
          object: role === '' ? 'public' : role,
          message: `role ${who} ${missing ? `is not there on the ${to} side` : `may do less on the ${to} side`} than on the ${from} one: ${listed(grants.map((grant) => `${grant.rights.join(', ')} on ${nameOf(grant)}`))}`,
          fix: `${missing ? `create role ${who}; ` : ''}${grantSql(grants, who)}`,
        }
      }),
  },
  'start-setting': {
    severity: 'warning',
    why: 'Sessions of the role, or all sessions, begin with another setting after the flip: another schema first in the path, another time limit, a value that policies read.',
    find: (context) => startSettings(context),
  },
  'member-grants': {
    severity: 'warning',
    why: 'A process reads which side writes as the role of its pool when its control connection is gone. Without these rights it stops serving, and it cannot be a member.',
    find: ({ memberGrants, facts }) =>
      (['old', 'new'] as const)
        .filter((side) => memberGrants[side].length > 0)
        .map((side) => ({
          side,
          object: facts[side].pool?.role ?? '',
          message: `role "${facts[side].pool?.role}" of the application's pool lacks rights in the schema ${CONTROL_SCHEMA} of the ${side} side`,
          fix: memberGrants[side].join('; '),
        })),
  },
} as const satisfies Record<string, Check>

interface PoolGap {
  readonly object: string
  readonly what: string
  readonly sql: string
  /** Nothing of it can be used at all, although it could be before. */
  readonly isShut: boolean
}

/** What the pool's role may do on the side that writes, and may not on the one to be opened. */
function poolGaps(context: Context): PoolGap[] {
  const { facts, from, to, m } = context
  const { pool: before } = facts[from]
  const { pool: after } = facts[to]
  if (!before || !after) return []
  const who = quoteIdent(after.role)
  // A superuser may do everything: that it uses it is not known.
  const isUsed = !before.superuser
  const known = new Set(before.lockedSchemas)
  const lockedBefore = new Set(before.lockedSequences)
  const tables = tablePairs(context)
    .map(({ left, right }) => ({ left, right, lacking: lackingOf(left, right) }))
    .filter(({ lacking }) => lacking.length > 0)
  const schemas = after.lockedSchemas.filter(
    (schema) => !known.has(nameAcross(m, to, { schema, name: '' }).schema),
  )
  const sequences = after.lockedSequences.filter((name) => !lockedBefore.has(name))
  return [
    ...schemas.map((schema) => ({
      object: schema,
      what: `usage on schema ${schema}`,
      sql: `grant usage on schema ${quoteIdent(schema)} to ${who}`,
      isShut: isUsed,
    })),
    ...[
      ...grouped(tables, ({ lacking, right }) => `${lacking.join(', ')}/${right.poolRights.length === 0}`),
    ].map(([, group]) => ({
      object: listed(group.map(({ right }) => nameOf(right))),
      what: `${group[0]?.lacking.join(', ')} on ${listed(group.map(({ right }) => nameOf(right)))}`,
      sql: `grant ${group[0]?.lacking.join(', ')} on ${group.map(({ right }) => quoteTable(right)).join(', ')} to ${who}`,
      isShut: isUsed && group[0]?.right.poolRights.length === 0,
    })),
    ...(sequences.length === 0
      ? []
      : [
          {
            object: listed(sequences),
            what: `usage on sequence ${listed(sequences)}`,
            sql: `grant usage on sequence ${sequences.join(', ')} to ${who}`,
            isShut: false,
          },
        ]),
  ]
}

const lackingOf = (left: TableFacts, right: TableFacts): string[] =>
  left.poolRights.filter((one) => !right.poolRights.includes(one))

function poolFound({ facts, from, to }: Context, gaps: readonly PoolGap[]): Found[] {
  if (gaps.length === 0) return []
  return [
    {
      side: to,
      object: gaps.map(({ object }) => object).join(', '),
      message: `role "${facts[to].pool?.role}" of the pool may not do on the ${to} side what "${facts[from].pool?.role}" may on the ${from} one: ${gaps.map(({ what }) => what).join('; ')}`,
      fix: gaps.map(({ sql }) => sql).join('; '),
    },
  ]
}

function grouped<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item])
  return groups
}

const grantSql = (grants: readonly LackingGrant[], who: string): string =>
  [...grouped(grants, ({ rights }) => rights.join(', '))]
    .map(([rights, tables]) => `grant ${rights} on ${tables.map(quoteTable).join(', ')} to ${who}`)
    .join('; ')

const SERVICE_ROLES = new Set<string>(
  Object.values(SERVICES).flatMap(({ roles, admins }) => [...roles, ...admins]),
)

const isOfService = (role: string): boolean => role.startsWith('pg_') || SERVICE_ROLES.has(role)

/** The database's own that change what statements mean are compared as they work; see `settings`. */
const isCompared = (role: string, name: string): boolean =>
  name === 'session_replication_role' || (role === '' && MEANING_SETTINGS.some((one) => one === name))

function startSettings({ facts, from, to }: Context): Found[] {
  const across = (role: string): string =>
    role !== '' && role === facts[from].pool?.role ? (facts[to].pool?.role ?? role) : role
  const lefts = new Map(
    facts[from].startSettings.map((one) => [
      `${across(one.role)} ${one.name}`,
      { ...one, role: across(one.role) },
    ]),
  )
  const rights = new Map(facts[to].startSettings.map((one) => [`${one.role} ${one.name}`, one]))
  return [...new Set([...lefts.keys(), ...rights.keys()])].toSorted().flatMap((key) => {
    const left = lefts.get(key)
    const right = rights.get(key)
    const { role, name } = left ?? right ?? { role: '', name: '' }
    if (left?.value === right?.value || isCompared(role, name) || isOfService(role)) return []
    const whose = role === '' ? `database ${quoteIdent(facts[to].database.name)}` : `role ${quoteIdent(role)}`
    return [
      {
        side: to,
        object: `${name} of ${whose}`,
        message: `${whose} begins with ${shownSetting(name, left?.value)} on the ${from} side and with ${shownSetting(name, right?.value)} on the ${to} one`,
        fix: `on the ${to} side: alter ${whose} ${left === undefined ? `reset ${name}` : `set ${name} = ${isCustom(name) ? '…' : settingValue(name, left.value)}`}`,
      },
    ]
  })
}

/** What an application has named itself may be a secret. */
const isCustom = (name: string): boolean => name.includes('.')

function shownSetting(name: string, value: string | undefined): string {
  if (value === undefined) return `no ${name} of its own`
  return isCustom(name) ? `a ${name} of its own` : `${name} = ${quoteLiteral(value)}`
}
