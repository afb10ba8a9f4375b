// Checks of what replication does not carry, of neighbours that use the same tables, and of what the fence does not stop.
import { quoteIdent, quoteLiteral, streamName } from '../../control/names.js'
import { parseTableName } from '../../mirror/scope.js'
import { bothSides, listed } from './check.js'
import type { Check, Context, Found } from './check.js'
import { nameOf } from './facts.js'
import type { SideFacts } from './facts.js'

/** One finding for all objects of a side. */
const about = (
  context: Context,
  objects: (facts: SideFacts) => readonly string[],
  message: (names: string, side: string) => string,
  fix: (names: readonly string[]) => string,
): Found[] =>
  bothSides(context, (facts, side) => {
    const found = objects(facts)
    if (found.length === 0) return []
    return [{ side, object: listed(found), message: message(listed(found), side), fix: fix(found) }]
  })

const ownStreams = ({ m }: Context): readonly string[] => [
  streamName(m.name, 'old'),
  streamName(m.name, 'new'),
]

export const CONTENT_CHECKS = {
  'table-unknown': {
    severity: 'error',
    find: ({ m, facts, from }) => {
      const there = new Set(facts[from].tables.map(nameOf))
      return (m.tables ?? [])
        .map((text) => ({ text, name: nameOf(parseTableName(text)) }))
        .filter(({ name }) => !there.has(name) && !facts[from].unloggedTables.includes(name))
        .map(({ text, name }) => ({
          side: from,
          object: name,
          message: `tables: "${text}" is no table of the ${from} side`,
          fix: 'correct the name in the option tables',
        }))
    },
  },
  'table-filled': {
    severity: 'error',
    stage: 'mirror',
    replication: true,
    find: ({ filled, facts, to }) => {
      if (filled.length === 0) return []
      const names = listed(filled.map(nameOf))
      const truncate = `truncate ${filled.map(({ schema, name }) => `${quoteIdent(schema)}.${quoteIdent(name)}`).join(', ')}`
      // A side that was a mirror before is fenced, against TRUNCATE too.
      const fenced = facts[to].controlSchema === 'ours'
      return [
        {
          side: to,
          object: names,
          message: `${names} on the ${to} side already has rows, which the initial copy would meet`,
          fix: fenced
            ? `set session_replication_role = replica; ${truncate}; reset session_replication_role`
            : truncate,
        },
      ]
    },
  },
  'unlogged-named': {
    severity: 'error',
    replication: true,
    find: (context) => {
      const { m, facts, from } = context
      const named = (m.tables ?? []).map((text) => nameOf(parseTableName(text)))
      return facts[from].unloggedTables
        .filter((name) => named.includes(name))
        .map((name) => ({
          side: from,
          object: name,
          message: `table ${name} is unlogged, so its changes cannot be replicated`,
          fix: `alter table ${name} set logged`,
        }))
    },
  },
  'unlogged-table': {
    severity: 'warning',
    replication: true,
    find: (context) =>
      context.m.tables !== undefined
        ? []
        : about(
            context,
            ({ unloggedTables }) => unloggedTables,
            (names, side) =>
              `the unlogged tables ${names} of the ${side} side are neither mirrored nor fenced`,
            (names) => names.map((name) => `alter table ${name} set logged`).join('; '),
          ),
  },
  'large-objects': {
    severity: 'error',
    replication: true,
    find: (context) =>
      context.facts[context.from].largeObjects
        ? [
            {
              side: context.from,
              object: 'pg_largeobject',
              message: `the ${context.from} side has large objects, which replication does not carry`,
              fix: 'move them into bytea columns, or remove them: select lo_unlink(oid) from pg_largeobject_metadata',
            },
          ]
        : [],
  },
  'row-security': {
    severity: 'error',
    replication: true,
    find: (context) =>
      bothSides(context, ({ tables, role }, side) => {
        const found = role.bypassesRowSecurity ? [] : tables.filter((table) => table.rowSecurity)
        return found.map((table) => ({
          side,
          object: nameOf(table),
          message: `row security on ${nameOf(table)} of the ${side} side hides rows from the copy, which role "${role.name}" makes`,
          fix: `alter table ${quoteIdent(table.schema)}.${quoteIdent(table.name)} disable row level security for the time of the migration, or alter role ${quoteIdent(role.name)} bypassrls`,
        }))
      }),
  },
  'foreign-table': {
    severity: 'warning',
    find: (context) =>
      about(
        context,
        ({ foreignTables }) => foreignTables,
        (names, side) => `the foreign tables ${names} of the ${side} side are neither mirrored nor fenced`,
        () => 'see that the other side has the same, with the same server behind them',
      ),
  },
  'event-trigger': {
    severity: 'warning',
    find: (context) =>
      about(
        context,
        ({ eventTriggers }) => eventTriggers,
        (names, side) => `the event triggers ${names} of the ${side} side also see what pg-cutover creates`,
        (names) => names.map((name) => `alter event trigger ${quoteIdent(name)} disable`).join('; '),
      ),
  },
  'always-trigger': {
    severity: 'warning',
    replication: true,
    find: (context) =>
      about(
        context,
        ({ tables }) =>
          tables.flatMap((table) => table.alwaysTriggers.map((trigger) => `${trigger} on ${nameOf(table)}`)),
        (names, side) =>
          `the triggers ${names} of the ${side} side also fire for replicated rows, so their work is done twice`,
        () => 'alter table … enable trigger … (instead of enable always or enable replica)',
      ),
  },
  'swallowed-errors': {
    severity: 'warning',
    find: (context) =>
      about(
        context,
        ({ swallowers }) => swallowers,
        (names, side) =>
          `${names} on the ${side} side catch every error, also that of the fence, and may report a refused write as done`,
        () => `raise again within the handler: when others then if sqlstate = '25006' then raise; end if; …`,
      ),
  },
  'prepared-transaction': {
    severity: 'error',
    find: (context) =>
      about(
        context,
        ({ preparedTransactions }) => preparedTransactions,
        (names, side) =>
          `prepared transactions are in doubt on the ${side} side: ${names}; they block slots and the fence`,
        (gids) =>
          gids.map((gid) => `commit prepared ${quoteLiteral(gid)}`).join('; ') + '; or rollback prepared',
      ),
  },
  'foreign-subscription': {
    severity: 'error',
    find: (context) =>
      bothSides(context, ({ subscriptions }, side) =>
        subscriptions
          .filter(({ name }) => !ownStreams(context).includes(name))
          .map(({ name, tables }) => ({
            side,
            object: name,
            message: `subscription "${name}" writes into ${listed(tables)} on the ${side} side; a table may have one mirror only, and the fence does not stop this one`,
            fix: `drop subscription ${quoteIdent(name)}`,
          })),
      ),
  },
  'foreign-publication': {
    severity: 'warning',
    find: (context) =>
      bothSides(context, ({ publications }, side) =>
        publications
          .filter(({ name }) => !ownStreams(context).includes(name))
          .map(({ name, tables }) => ({
            side,
            object: name,
            message: `publication "${name}" of the ${side} side has ${listed(tables)} too; who reads it must follow the cutover`,
            fix: `create the same on the other side, or drop publication ${quoteIdent(name)}`,
          })),
      ),
  },
  'foreign-slot': {
    severity: 'warning',
    find: (context) =>
      bothSides(context, ({ slots, database }, side) =>
        slots
          // A table copy of ours has a passing slot of its own, named by Postgres.
          .filter((slot) => slot.database === database.name && !/^pg_\d+_sync_/.test(slot.name))
          .filter(({ name }) => !ownStreams(context).includes(name))
          .map(({ name, plugin }) => ({
            side,
            object: name,
            message: `replication slot "${name}" (${plugin}) of the ${side} side belongs to somebody who reads its changes; a cutover moves them away from it`,
            fix: `move its reader by hand, or select pg_drop_replication_slot(${quoteLiteral(name)})`,
          })),
      ),
  },
  'slot-taken': {
    severity: 'error',
    replication: true,
    find: (context) =>
      bothSides(context, ({ slots, database }, side) =>
        slots
          .filter((slot) => slot.name === streamName(context.m.name, side) && slot.database !== database.name)
          .map(({ name, database: owner }) => ({
            side,
            object: name,
            message: `the replication slot "${name}" of the ${side} server belongs to database "${owner}"`,
            fix: `give this migration another name, or select pg_drop_replication_slot(${quoteLiteral(name)})`,
          })),
      ),
  },
  listener: {
    severity: 'warning',
    find: (context) =>
      about(
        context,
        ({ listeners }) => listeners,
        (names, side) => `${names} wait for notifications on the ${side} side, which are not replicated`,
        () => 'listen through cutover.listen, or connect them to the other side after the cutover',
      ),
  },
} as const satisfies Record<string, Check>
