// Checks of what belongs to a table and is not a column or a key: triggers, rules, indexes, constraints, policies.
import { quoteIdent } from '../../control/names.js'
import { nameAcross } from '../../mirror/mapping.js'
import { keepsNames, listed, quoteTable, tablePairs } from './check.js'
import type { Check, Context, Found } from './check.js'
import { nameOf } from './facts.js'
import type { NamedText, ReferenceFacts, TableFacts } from './facts.js'

interface Pair {
  readonly left: TableFacts
  readonly right: TableFacts
}

/** Something of a table with its text on each side, undefined where it is not. */
interface Differing {
  readonly right: TableFacts
  readonly name: string
  readonly left: string | undefined
  readonly there: string | undefined
}

export const SHAPE_CHECKS = {
  'trigger-differs': {
    severity: 'warning',
    why: 'What the trigger does (a time stamp, a search column, an audit row) stops with the flip, begins with it, or changes.',
    find: (context) =>
      perTable(context, ({ triggers }) => triggers).map((differing) =>
        madeAnew(context, 'trigger', differing, triggerSql),
      ),
  },
  'rule-differs': {
    severity: 'warning',
    why: 'The same statement is rewritten on one side and not on the other: after the flip rows go elsewhere, or nowhere.',
    find: (context) =>
      perTable(context, ({ rules }) => rules.map(({ name, enabled }) => ({ name, text: enabled }))).map(
        ({ right, name, left, there }) => ({
          side: context.to,
          object: `${name} on ${nameOf(right)}`,
          message: `rule ${name} on ${nameOf(right)} is ${left === undefined ? `on the ${context.to} side only` : there === undefined ? `on the ${context.from} side only` : 'enabled in another way'}`,
          fix:
            left === undefined
              ? `drop rule ${quoteIdent(name)} on ${quoteTable(right)} on the ${context.to} side, or make it on the ${context.from} one`
              : `select pg_get_ruledef(oid) from pg_rewrite where rulename = '${name}' on the ${context.from} side, and run what it gives on the ${context.to} one`,
        }),
      ),
  },
  'index-missing': {
    severity: 'warning',
    why: 'Queries that were answered by the index read the whole table after the flip, all at once: the server that was opened may not keep up.',
    find: (context) => {
      const lacking = tablePairs(context).flatMap(({ left, right }) =>
        left.indexes
          .filter((definition) => !right.indexes.includes(definition))
          .map((definition) => ({ right, definition })),
      )
      if (lacking.length === 0) return []
      const names = [...new Set(lacking.map(({ right }) => nameOf(right)))]
      return [
        {
          side: context.to,
          object: listed(names),
          message: `indexes of ${listed(names)} are missing, or not valid, on the ${context.to} side: ${listed(lacking.map(({ right, definition }) => `${nameOf(right)} using ${definition}`))}`,
          fix: lacking
            .map(
              ({ right, definition }) =>
                `create index concurrently on ${quoteTable(right)} using ${definition}`,
            )
            .join('; '),
        },
      ]
    },
  },
  'constraint-missing': {
    severity: 'warning',
    why: 'After the flip values get in that the application takes for impossible, and a rollback meets them at the constraint of the side that has it.',
    find: (context) =>
      tablePairs(context).flatMap(({ left, right }) =>
        left.checks
          .filter((definition) => !right.checks.includes(definition))
          .map((definition) => ({
            side: context.to,
            object: nameOf(right),
            message: `${nameOf(right)} lacks the constraint ${definition} on the ${context.to} side`,
            fix: `on the ${context.to} side: alter table ${quoteTable(right)} add ${definition} not valid`,
          })),
      ),
  },
  'foreign-key-differs': {
    severity: 'warning',
    why: 'Without it rows lose what they point to after the flip, and deletes no longer cascade. One that is only there refuses or deletes rows that nobody expects.',
    find: (context) =>
      tablePairs(context).flatMap((pair) => {
        const { left, right } = pair
        const lefts = new Map(left.references.map((key) => [keyAcross(context, key), key]))
        const rights = new Map(right.references.map((key) => [keyOf(key), key]))
        return [
          ...[...lefts]
            .filter(([key]) => !rights.has(key))
            .map(([, key]) => referenceFound(context, pair, key, 'missing')),
          ...[...rights]
            .filter(([key]) => !lefts.has(key))
            .map(([, key]) => referenceFound(context, pair, key, 'extra')),
        ]
      }),
  },
  'row-security-off': {
    severity: 'error',
    why: 'Policies that are not enforced let everybody see every row: from the flip on, one customer reads the data of another.',
    find: (context) =>
      tablePairs(context)
        .filter(({ left, right }) => left.rowSecurityOn && !right.rowSecurityOn)
        .map(({ right }) => ({
          side: context.to,
          object: nameOf(right),
          message: `row security of ${nameOf(right)} is on on the ${context.from} side and off on the ${context.to} one`,
          fix: `on the ${context.to} side: alter table ${quoteTable(right)} enable row level security`,
        })),
  },
  'policy-differs': {
    severity: 'warning',
    why: 'The same role sees or changes other rows after the flip: too many, or none.',
    find: (context) => [
      ...perTable(context, ({ policies }) => policies).map((differing) =>
        madeAnew(context, 'policy', differing, policySql),
      ),
      ...tablePairs(context)
        .filter(({ left, right }) => !left.rowSecurityOn && right.rowSecurityOn)
        .map(({ right }) => ({
          side: context.to,
          object: nameOf(right),
          message: `row security of ${nameOf(right)} is on on the ${context.to} side only: without a policy nobody but its owner sees a row`,
          fix: `on the ${context.to} side: alter table ${quoteTable(right)} disable row level security, or enable it on the ${context.from} one too`,
        })),
    ],
  },
} as const satisfies Record<string, Check>

/** What has another text on the other side, or is on one side only. */
function perTable(context: Context, of: (table: TableFacts) => readonly NamedText[]): Differing[] {
  return tablePairs(context).flatMap(({ left, right }) => {
    const lefts = new Map(of(left).map(({ name, text }) => [name, text]))
    const rights = new Map(of(right).map(({ name, text }) => [name, text]))
    return [...new Set([...lefts.keys(), ...rights.keys()])]
      .filter((name) =>
        // Under other names the texts differ though they mean the same.
        keepsNames(context) ? lefts.get(name) !== rights.get(name) : lefts.has(name) !== rights.has(name),
      )
      .map((name) => ({ right, name, left: lefts.get(name), there: rights.get(name) }))
  })
}

/** How it is enabled stands behind its definition. */
function triggerSql(table: TableFacts, name: string, text: string): string {
  const [definition = '', how] = text.split(/, (disabled|enable always|enable replica)$/)
  const made = definition.replace(' ON @ ', ` on ${quoteTable(table)} `)
  if (how === undefined) return made
  const verb = how === 'disabled' ? 'disable' : how
  return `${made}; alter table ${quoteTable(table)} ${verb} trigger ${quoteIdent(name)}`
}

function policySql(table: TableFacts, name: string, text: string): string {
  const clauses = text.replaceAll(' using ()', '').replaceAll(' with check ()', '')
  return `create policy ${quoteIdent(name)} on ${quoteTable(table)} as ${clauses}`
}

/** What is there is dropped first: neither is replaced by its definition. */
function madeAnew(
  { from, to }: Context,
  kind: 'trigger' | 'policy',
  { right, name, left, there }: Differing,
  sql: (table: TableFacts, name: string, text: string) => string,
): Found {
  const object = `${name} on ${nameOf(right)}`
  const drop = `drop ${kind} ${quoteIdent(name)} on ${quoteTable(right)}`
  const found = (message: string, fix: string): Found => ({
    side: to,
    object,
    message: `${kind} ${object} ${message}`,
    fix: `on the ${to} side: ${fix}`,
  })
  if (left === undefined) return found(`is on the ${to} side only`, `${drop}, or make it on the ${from} one`)
  if (there === undefined) return found(`is on the ${from} side only`, sql(right, name, left))
  return found(
    `differs: ${left} on the ${from} side, ${there} on the ${to} one`,
    `${drop}; ${sql(right, name, left)}`,
  )
}

/** Its definition with the target's name apart, which may be written with its schema or without. */
const spelt = ({ text }: ReferenceFacts, target: string): string =>
  text.replace(/ REFERENCES .*?(?=\()/, () => ` REFERENCES ${target}`)

const keyOf = (key: ReferenceFacts): string =>
  spelt(key, quoteTable({ schema: key.targetSchema, name: key.target }))

const keyAcross = ({ m, from }: Context, key: ReferenceFacts): string =>
  spelt(key, quoteTable(nameAcross(m, from, { schema: key.targetSchema, name: key.target })))

function referenceFound(
  context: Context,
  { left, right }: Pair,
  key: ReferenceFacts,
  what: 'missing' | 'extra',
): Found {
  const { from, to } = context
  return {
    side: to,
    object: `${key.name} on ${nameOf(right)}`,
    message: `foreign key ${key.name} of ${nameOf(right)} is on the ${what === 'missing' ? from : to} side only: ${key.text}`,
    fix:
      what === 'missing'
        ? `on the ${to} side: alter table ${quoteTable(right)} add constraint ${quoteIdent(key.name)} ${keyAcross(context, key)} not valid`
        : `on the ${to} side: alter table ${quoteTable(right)} drop constraint ${quoteIdent(key.name)}; or add it on the ${from} one: alter table ${quoteTable(left)} add ${key.text}`,
  }
}
