// Checks of a database's objects besides its tables: views, routines, extensions' versions, foreign servers, collations.
import { quoteIdent } from '../../control/names.js'
import { parseTableName } from '../../mirror/scope.js'
import { about, isWhole, listed, quoteTable } from './check.js'
import type { Check, Context, Found } from './check.js'
import type { SideFacts } from './facts.js'

export const OBJECT_CHECKS = {
  'materialized-view': {
    severity: 'warning',
    why: 'Its rows are computed, so no mirror carries them. After the flip it shows what it had when it was last refreshed there; one that never was is refused.',
    find: (context) => {
      const { facts, from, to } = context
      const there = new Map(facts[to].materializedViews.map((view) => [view.name, view]))
      const views = isWhole(context) ? facts[from].materializedViews.map(({ name }) => name) : []
      if (views.length === 0) return []
      const missing = views.filter((name) => !there.has(name))
      const empty = views.filter((name) => there.get(name)?.populated === false)
      return [
        {
          side: to,
          object: listed(views),
          message: [
            `the materialized views ${listed(views)} are not mirrored`,
            ...(missing.length > 0 ? [`missing on the ${to} side: ${listed(missing)}`] : []),
            ...(empty.length > 0 ? [`never refreshed there: ${listed(empty)}`] : []),
          ].join('; '),
          fix: views
            .map((name) => `refresh materialized view ${quoted(name)}`)
            .join('; ')
            .concat(` -- on the ${to} side, shortly before the cutover and after it`),
        },
      ]
    },
  },
  'view-missing': {
    severity: 'warning',
    why: 'Every query that uses the view fails after the flip.',
    find: (context) =>
      onlyHere(
        context,
        ({ views }) => views,
        (names) => `views of the ${context.from} side are missing on the ${context.to} one: ${names}`,
        (names) =>
          names
            .map((name) => `pg_dump --schema-only --table '${quoted(name)}'`)
            .join('; ')
            .concat(` of the ${context.from} database, into the ${context.to} one`),
      ),
  },
  'routine-missing': {
    severity: 'warning',
    why: 'Every statement that calls it fails after the flip, and so does each trigger, default and check that does.',
    find: (context) =>
      onlyHere(
        context,
        ({ routines }) => routines.map(({ name }) => name),
        (names) =>
          `functions or procedures of the ${context.from} side are missing on the ${context.to} one: ${names}`,
        (names) =>
          names
            .map(definitionOf)
            .join('; ')
            .concat(` on the ${context.from} side, and run what it gives on the ${context.to} one`),
      ),
  },
  'routine-differs': {
    severity: 'warning',
    why: 'The same call does something else after the flip.',
    find: (context) => {
      const { facts, from, to } = context
      const there = new Map(facts[to].routines.map(({ name, text }) => [name, text]))
      const differing = facts[from].routines
        .filter(({ name, text }) => (there.get(name) ?? text) !== text)
        .map(({ name }) => name)
      if (!isWhole(context) || differing.length === 0) return []
      return [
        {
          side: to,
          object: listed(differing),
          message: `functions or procedures are on both sides, but not the same: ${listed(differing)}`,
          fix: differing.map(definitionOf).join('; ').concat(` on both sides, and make them the same`),
        },
      ]
    },
  },
  'extension-version': {
    severity: 'warning',
    why: 'Functions and operators of another version may return other values, sort differently, or be missing.',
    find: ({ facts, from, to }) => {
      const there = new Map(facts[to].extensions.map(({ name, version }) => [name, version]))
      const differing = facts[from].extensions.filter(
        ({ name, version }) => (there.get(name) ?? version) !== version,
      )
      if (differing.length === 0) return []
      return [
        {
          side: to,
          object: listed(differing.map(({ name }) => name)),
          message: `extensions have another version on the ${to} side: ${listed(differing.map(({ name, version }) => `${name} ${version} → ${there.get(name)}`))}`,
          fix: differing
            .map(({ name }) => `alter extension ${quoteIdent(name)} update`)
            .join('; ')
            .concat(' on the side that is behind; otherwise read what has changed between the two'),
        },
      ]
    },
  },
  'foreign-server': {
    severity: 'warning',
    why: 'Queries through a foreign server, or through dblink, fail after the flip or reach another database.',
    find: ({ facts, from, to }) => {
      const there = new Map(facts[to].foreignServers.map((server) => [server.name, server]))
      return facts[from].foreignServers.flatMap(({ name, wrapper, digest }) => {
        const other = there.get(name)
        if (other?.digest === digest && other.wrapper === wrapper) return []
        return [
          {
            side: to,
            object: name,
            message: `foreign server ${name} (${wrapper}) of the ${from} side ${other ? `has other options on the ${to} one` : `is missing on the ${to} one`}`,
            fix: other
              ? `compare: select srvoptions from pg_foreign_server where srvname = '${name}'; alter server ${quoteIdent(name)} options (set …)`
              : `create server ${quoteIdent(name)} foreign data wrapper ${quoteIdent(wrapper)} options (…); and its user mappings`,
          },
        ]
      })
    },
  },
  'collation-stale': {
    severity: 'warning',
    why: 'Indexes on text were sorted in another order than the library has now: rows that are there are not found, and duplicates get past a unique key.',
    find: (context) =>
      about(
        context,
        ({ staleCollations }) => staleCollations,
        (names, side) =>
          `collations of the ${side} side were made with another version of the library: ${names}`,
        (names) =>
          `reindex database, then ${names.map((name) => (name === OWN ? 'alter database … refresh collation version' : `alter collation ${quoteIdent(name)} refresh version`)).join('; ')}`,
      ),
  },
} as const satisfies Record<string, Check>

/** As the facts call the collation that a database has by itself. */
const OWN = "the database's own"

const quoted = (name: string): string => quoteTable(parseTableName(name))

const definitionOf = (signature: string): string =>
  `select pg_get_functiondef('${signature.replaceAll("'", "''")}'::regprocedure)`

function onlyHere(
  context: Context,
  of: (facts: SideFacts) => readonly string[],
  message: (names: string) => string,
  fix: (names: readonly string[]) => string,
): Found[] {
  const { facts, from, to } = context
  const there = new Set(of(facts[to]))
  const found = of(facts[from]).filter((name) => !there.has(name))
  if (!isWhole(context) || found.length === 0) return []
  return [{ side: to, object: listed(found), message: message(listed(found)), fix: fix(found) }]
}
