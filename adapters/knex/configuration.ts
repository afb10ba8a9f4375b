// Knex's own configuration as far as it speaks of connections: what still counts, and what is refused by name.
import { refusal } from '../options.js'
import type { KnexConfig, KnexConnection } from './dialect.js'

/** What a service may still say of connections to Knex; all else is said to `createCutover`. */
export interface KnexConnectionOptions {
  /** How long a call waits for a connection. Holds do not count. */
  readonly acquireTimeoutMillis: number
  /** Called once for each connection that this Knex gets, before it uses it. */
  readonly afterCreate: AfterCreate | undefined
  /** Type parsers for the statements of this Knex alone. */
  readonly types: object | undefined
}

type AfterCreate = (connection: KnexConnection, done: (error: unknown) => void) => void

/** Knex's own. */
const DEFAULT_TIMEOUT_MILLIS = 60_000
const WHERE = 'knexClient'

export function readConfiguration(config: KnexConfig): KnexConnectionOptions {
  if (config.connectionPool !== undefined)
    throw refusal(
      WHERE,
      'connectionPool is given',
      'none: every connection of this Knex is one of the cutover',
    )
  const { types } = only('connection', config.connection, ['types'])
  if (types !== undefined && (typeof types !== 'object' || types === null || !('getTypeParser' in types)))
    throw refusal(
      WHERE,
      'connection.types has no getTypeParser',
      'type parsers as pg takes them in its option `types`',
    )
  const { afterCreate, acquireTimeoutMillis } = only('pool', config.pool, [
    'afterCreate',
    'acquireTimeoutMillis',
  ])
  if (afterCreate !== undefined && typeof afterCreate !== 'function')
    throw refusal(WHERE, `pool.afterCreate is of type ${typeof afterCreate}`, 'a function')
  const timeouts = [
    millis('acquireConnectionTimeout', config.acquireConnectionTimeout),
    millis('pool.acquireTimeoutMillis', acquireTimeoutMillis),
  ].filter((given) => given !== undefined)
  return {
    // The shorter of the two, as Knex has it.
    acquireTimeoutMillis: timeouts.length === 0 ? DEFAULT_TIMEOUT_MILLIS : Math.min(...timeouts),
    afterCreate: afterCreate as AfterCreate | undefined,
    types,
  }
}

/** The keys that count; any other would be without effect, which is no way to find out. */
function only(
  name: 'connection' | 'pool',
  given: unknown,
  known: readonly string[],
): Readonly<Record<string, unknown>> {
  if (given === undefined || given === null) return {}
  const expected = `at most ${known.map((key) => `${name}.${key}`).join(' and ')}, since ${
    name === 'connection' ? 'the addresses' : 'the sizes and times of connections'
  } are those of \`old\` and \`new\` of createCutover()`
  if (typeof given !== 'object') throw refusal(WHERE, `${name} is given as a ${typeof given}`, expected)
  // Never the value: it may be a password.
  for (const key of Object.keys(given))
    if (!known.includes(key)) throw refusal(WHERE, `${name}.${key} is given`, expected)
  return given as Readonly<Record<string, unknown>>
}

function millis(name: string, given: unknown): number | undefined {
  if (given === undefined) return undefined
  // More would be taken for 1 by Node's timers.
  if (typeof given === 'number' && Number.isSafeInteger(given) && given > 0 && given < 2 ** 31) return given
  throw refusal(
    WHERE,
    `${name} is ${typeof given === 'number' ? given : `of type ${typeof given}`}`,
    'a whole number of milliseconds above 0',
  )
}
