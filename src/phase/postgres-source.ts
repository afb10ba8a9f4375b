// A source held in a table of a Postgres database: heard by LISTEN, polled slowly, and found again after any outage.
import type pg from 'pg'
import { addressOf } from '../address.js'
import { CutoverError } from '../errors.js'
import { readTable, shapeOf, splitTableName, type Option, type OptionTable } from '../options.js'
import type { WishWatch } from './postgres-watch.js'
import { WISH_TABLE, wishTable } from './postgres-wish-table.js'
import type { Source } from './source.js'

export interface PostgresSourceOptions {
  /** The table, as `schema.table`. Default `cutover_source.wish`, which no migration mirrors or fences. */
  readonly table?: string | undefined
  /**
   * How often the row is read besides at each change, for tables without the trigger and for lines that went silent.
   * Milliseconds; default 5,000.
   */
  readonly pollMillis?: number | undefined
  /**
   * For a connection to be made, and for each answer on it; then it is thrown away and the source is unavailable until
   * another one stands. Milliseconds; default 5,000.
   */
  readonly connectTimeoutMillis?: number | undefined
}

const millis = (most: number, mostText: string): Option<number> => ({
  default: 5_000,
  expected: `a whole number of milliseconds from 10 to ${mostText}`,
  accepts: (value) => Number.isSafeInteger(value) && Number(value) >= 10 && Number(value) <= most,
})

const TABLE: OptionTable<{ table: string; pollMillis: number; connectTimeoutMillis: number }> = {
  table: {
    default: WISH_TABLE,
    expected: '"schema.table"',
    accepts: (value) => typeof value === 'string' && splitTableName(value) !== undefined,
  },
  pollMillis: millis(3_600_000, '3,600,000'),
  connectTimeoutMillis: millis(60_000, '60,000'),
}

const WHERE = 'postgresSource: '

/**
 * A source that reads its wish from the row of a table whose `name` is the migration's; {@link postgresSourceSql} gives
 * the SQL that makes the table. It has one read-only connection of its own, which must reach a primary and no
 * transaction pooler, since neither a standby nor a pooler can listen. Without the table, the row or the server it is
 * unavailable and says what to run; it tries again after 100 ms and ever more slowly, up to 10 s. Throws `ERR_OPTION`,
 * which never shows the connection; never keeps a process alive.
 */
export function postgresSource(
  connection: string | pg.ClientConfig,
  options: PostgresSourceOptions = {},
): Source {
  const { table: tableName, pollMillis, connectTimeoutMillis } = readTable(TABLE, options, WHERE)
  const config = readConnection(connection)
  const found = addressOf(config)
  if ('fault' in found) throw refused(`connection ${found.fault}`, found.expected)
  const address = found.shown
  const table = wishTable(tableName, WHERE)
  let watching: Promise<WishWatch> | undefined
  return {
    name: `postgres ${address} ${table.name}`,
    watch(report, migration) {
      if (watching)
        throw new CutoverError('ERR_OPTION', `${WHERE}it is watched already; make one for each migration`)
      const { name } = migration
      const answerMillis = connectTimeoutMillis
      // Loaded only here, since few services have such a source.
      watching = import('./postgres-watch.js').then(({ watchWish }) =>
        watchWish({ config, address, table, migration: name, pollMillis, answerMillis }, report),
      )
      return watching.then(() => undefined)
    },
    async close() {
      const closing = watching
      await (await closing)?.close()
      if (watching === closing) watching = undefined
    },
  }
}

function readConnection(given: unknown): pg.ClientConfig {
  const isObject = typeof given === 'object' && given !== null && !Array.isArray(given)
  if (isObject && !('connect' in given) && Object.values(given).some((value) => value !== undefined)) {
    const config = given as pg.ClientConfig
    checkUrl(config.connectionString)
    // Non-enumerable on the options of a pool, so that a spread loses it.
    return config.password === undefined ? { ...config } : { ...config, password: config.password }
  }
  if (typeof given !== 'string')
    throw refused(
      `connection is ${shapeOf(given)}`,
      'a connection string or a pg.ClientConfig with at least one setting',
    )
  checkUrl(given)
  return { connectionString: given }
}

/** pg takes any text for a URL, and would take a part of it for the database's name, which is shown. */
function checkUrl(text: string | undefined): void {
  if (text !== undefined && !/^(postgres(ql)?:\/\/|socket:|\/)/.test(text))
    throw refused('connection is a string of another form', 'one that begins with postgres://')
}

const refused = (got: string, expected: string): CutoverError =>
  new CutoverError('ERR_OPTION', `${WHERE}${got}; expected ${expected}`)
