// Checks of what is in scope, of what no mirror carries, and of what the fence does not stop.
import { quoteIdent, quoteLiteral } from '../../control/names.js'
import { tablesOn } from '../../mirror/mapping.js'
import { parseTableName } from '../../mirror/scope.js'
import { about, ANY_MIRROR, bothSides, listed, quoteTable, REPLICATION } from './check.js'
import type { Check } from './check.js'
import { nameOf } from './facts.js'

export const CONTENT_CHECKS = {
  'table-unknown': {
    severity: 'error',
    why: 'What is misspelt is neither mirrored nor fenced: its rows would stay behind.',
    find: ({ m, facts, from }) => {
      const there = new Set(facts[from].tables.map(nameOf))
      return (tablesOn(m, from) ?? [])
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
    why: 'Rows that are there already collide with those that are copied, or stay as rows that the other side never had.',
    stage: 'mirror',
    mirrors: ANY_MIRROR,
    find: ({ filled, facts, relay, to }) => {
      if (filled.length === 0) return []
      const names = listed(filled.map(nameOf))
      const truncate = `truncate ${filled.map(quoteTable).join(', ')}`
      // A side that was a mirror before is fenced, against TRUNCATE too; but not for the role of a relay.
      const fenced = facts[to].controlSchema === 'ours' && relay?.ways[to] !== 'plain'
      return [
        {
          side: to,
          object: names,
          message: `${names} on the ${to} side already has rows, which ${relay ? 'would stay although the other side has none such' : 'the initial copy would meet'}`,
          fix: fenced
            ? `set session_replication_role = replica; ${truncate}; reset session_replication_role`
            : truncate,
        },
      ]
    },
  },
  'unlogged-named': {
    severity: 'error',
    why: 'Its changes are not in the log that the mirror reads: its rows would stay behind.',
    mirrors: ANY_MIRROR,
    find: (context) => {
      const { m, facts, from } = context
      const named = (tablesOn(m, from) ?? []).map((text) => nameOf(parseTableName(text)))
      return facts[from].unloggedTables
        .filter((name) => named.includes(name))
        .map((name) => ({
          side: from,
          object: name,
          message: `table ${name} is unlogged, so its changes are not mirrored`,
          fix: `alter table ${name} set logged`,
        }))
    },
  },
  'unlogged-table': {
    severity: 'warning',
    why: 'Its rows stay behind at the cutover, and it can be written on both sides.',
    mirrors: ANY_MIRROR,
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
    why: 'References to them would point to nothing after the flip. The fence does not stop writes to them either.',
    mirrors: ANY_MIRROR,
    find: (context) =>
      context.facts[context.from].largeObjects
        ? [
            {
              side: context.from,
              object: 'pg_largeobject',
              message: `the ${context.from} side has large objects, which no mirror carries`,
              fix: 'move them into bytea columns, or remove them: select lo_unlink(oid) from pg_largeobject_metadata',
            },
          ]
        : [],
  },
  'row-security': {
    severity: 'error',
    why: 'Rows that a policy hides are neither copied nor compared, and Postgres stops a worker that is subject to policies: rows would be missing, unseen.',
    mirrors: ANY_MIRROR,
    find: (context) =>
      bothSides(context, ({ tables, role }, side) => {
        const found = role.bypassesRowSecurity ? [] : tables.filter((table) => table.rowSecurity)
        return found.map((table) => ({
          side,
          object: nameOf(table),
          message: `row security on ${nameOf(table)} of the ${side} side hides rows from role "${role.name}", which copies them`,
          fix: table.owned
            ? `alter table ${quoteTable(table)} no force row level security -- its policies stay in force for everybody but its owner`
            : `alter role ${quoteIdent(role.name)} bypassrls; or grant ${quoteIdent(table.owner)} to ${quoteIdent(role.name)}`,
        }))
      }),
  },
  'foreign-table': {
    severity: 'warning',
    why: 'Its rows are somewhere else and stay there. If the other side points elsewhere, the application reads and writes other data after the flip.',
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
    why: 'It fires when the schema, tables and triggers of pg-cutover are made, on the side that is left and on the side that is opened. If it raises an error, preparing fails; if it writes, it writes outside of the mirror.',
    find: (context) =>
      about(
        context,
        ({ eventTriggers }) => eventTriggers,
        (names, side) =>
          `the event triggers ${names} of the ${side} side also see what pg-cutover creates${side === context.from ? ', and may forbid it' : ', and what is changed there for the cutover'}`,
        (names) =>
          names
            .map((name) => `alter event trigger ${quoteIdent(name)} disable`)
            .join('; ')
            .concat(' -- for the time of the migration, if they forbid or write anything'),
      ),
  },
  'always-trigger': {
    severity: 'warning',
    why: 'It fires once where the row was written and again where it is mirrored: counters count twice, audit rows appear twice, mails are sent twice.',
    mirrors: REPLICATION,
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
    why: 'A write that the fence refuses is an error. A handler that swallows it makes the caller believe that the row is stored.',
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
    why: 'It keeps its locks over restarts and passes the fence when it is committed. A slot cannot be made, and the drain waits in vain.',
    find: (context) =>
      about(
        context,
        ({ preparedTransactions }) => preparedTransactions,
        (names, side) =>
          `prepared transactions are in doubt on the ${side} side: ${names}; they block the mirror and the fence`,
        (gids) =>
          gids.map((gid) => `commit prepared ${quoteLiteral(gid)}`).join('; ') + '; or rollback prepared',
      ),
  },
} as const satisfies Record<string, Check>
