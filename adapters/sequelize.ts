// Sequelize over both databases: the module of pg that it makes its clients from, with clients that move.
import type { Cutover } from '../src/index.js'
import { checkCutover, refusal, shown } from './options.js'
import { ask, typedClient, type AskedClient, type TypeQuestion } from './typed-client.js'

/** The module `pg`, as far as it is used here. */
export interface PgModule {
  readonly Client: new (config?: never) => object
  readonly types: { getTypeParser(oid: number, format?: never): unknown }
}

const WHERE = 'sequelizeModule'

// Below it OIDs are the same in every database.
const FIRST_OF_ITS_OWN = 16_384

interface Types {
  readonly nameOf: ReadonlyMap<number, string>
  readonly oidOf: ReadonlyMap<string, number>
}

// The types of tables' rows are of no use to Sequelize, and there is one for each table.
const QUESTION: TypeQuestion<Types> = {
  text: `select t.oid, n.nspname || '.' || coalesce(e.typname || '[]', t.typname) as name
    from pg_catalog.pg_type t
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    left join pg_catalog.pg_type e on e.typarray = t.oid
   where t.oid >= ${FIRST_OF_ITS_OWN} and coalesce(e.typtype, t.typtype) <> 'c'`,
  read(rows) {
    const all = rows.map(({ oid, name }) => [Number(oid), String(name)] as const)
    return { nameOf: new Map(all), oidOf: new Map(all.map(([oid, name]) => [name, oid])) }
  },
}

/** How Sequelize begins to ask for the OIDs that it makes its parsers by. */
const ITS_QUESTION = 'WITH ranges AS ('

/**
 * The `dialectModule` of Sequelize 6, with the application's own `pg`:
 *
 * ```ts
 * const sequelize = new Sequelize({ dialect: 'postgres', dialectModule: sequelizeModule(pg, cutover) })
 * ```
 *
 * Sequelize keeps its own pool and options. Its clients are of `cutover.Client`: address, user, password and ssl are those
 * of the options `old` and `new`, and what is said of them to Sequelize is not looked at. Sequelize knows its parsers by
 * the OIDs of one database; values of enums, ranges, domains and types of extensions are parsed on the other side by the
 * types of the same schema and name. Make one module for each Sequelize. Throws `ERR_OPTION` for anything but `pg` and a
 * cutover, and where this `pg` is another copy than the one of pg-cutover.
 */
export function sequelizeModule<Pg extends PgModule>(pg: Pg, cutover: Cutover): Pg {
  checkCutover(WHERE, cutover)
  checkPg(pg, cutover)
  /** Those of the database by whose OIDs Sequelize knows its parsers now. */
  let reference: Types | undefined

  const Client = typedClient<Types>(cutover.Client, {
    question: QUESTION,
    parserOf(given, types, oid, format) {
      if (oid < FIRST_OF_ITS_OWN || reference === undefined) return given.getTypeParser(oid, format)
      const name = types?.nameOf.get(oid)
      // As text, where Sequelize does not know the type.
      return given.getTypeParser((name === undefined ? undefined : reference.oidOf.get(name)) ?? 0, format)
    },
  })

  const query: unknown = Reflect.get(Client.prototype, 'query')
  Object.defineProperty(Client.prototype, 'query', {
    value(this: AskedClient, ...given: readonly unknown[]): unknown {
      if (typeof given[0] === 'string' && given[0].startsWith(ITS_QUESTION))
        ask(this, QUESTION, (types) => {
          reference = types
        })
      return Reflect.apply(query as () => unknown, this, given)
    },
  })
  return { ...pg, Client }
}

function checkPg(pg: unknown, cutover: Cutover): void {
  const expected = 'the module pg of the application, as `import pg from "pg"` gives it'
  if (typeof pg !== 'object' || pg === null) throw refusal(WHERE, `pg is ${shown(pg)}`, expected)
  const { Client, types } = pg as Partial<PgModule>
  if (typeof Client !== 'function' || typeof types?.getTypeParser !== 'function')
    throw refusal(WHERE, 'pg is an object without Client and types', expected)
  if (!(cutover.Client.prototype instanceof Client))
    throw refusal(
      WHERE,
      'pg is another copy than the one that pg-cutover imports',
      'one copy of pg; see `npm ls pg`, then `npm dedupe`, or `overrides` of pg in package.json',
    )
}
