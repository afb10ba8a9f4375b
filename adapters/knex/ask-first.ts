// A statement of Knex that is made while the cutover holds: a read that is answered all the same waits for no connection.
import type { KnexBuilder, KnexConnection, KnexDialect, KnexRunner } from './dialect.js'

/** What answers this text without a lease; undefined where it has to wait for one. */
export type Lend = (text: string) => KnexConnection | undefined

// The others are compiled once and no more: a bulk insert is the last thing to be compiled in vain during a hold.
const MAY_READ: readonly unknown[] = ['select', 'first', 'pluck', 'columnInfo']

/** Has the statement of this runner ask before it waits. What is read into a stream does not, nor does a transaction. */
export function askFirst(runner: KnexRunner, lend: Lend): KnexRunner {
  runner.run = function run(this: KnexRunner): unknown {
    this.client = asking(this.client, this.builder, lend)
    const itsOwn = Object.getPrototypeOf(this) as { readonly run: Function }
    return Reflect.apply(itsOwn.run, this, [])
  }
  return runner
}

function asking(client: KnexDialect, builder: KnexBuilder, lend: Lend): KnexDialect {
  const asked = Object.create(client) as KnexDialect
  asked.acquireConnection = () => {
    const text = textOf(client, builder)
    const lent = text === undefined ? undefined : lend(text)
    return lent === undefined ? client.acquireConnection() : Promise.resolve(lent)
  }
  return asked
}

/**
 * The text as it will be sent. Knex compiles it once more with its connection in hand; should a listener of its event
 * `start` have changed it in between, it is answered or waits as any statement of a pool does.
 */
function textOf(client: KnexDialect, builder: KnexBuilder): string | undefined {
  if (builder._method !== undefined && !MAY_READ.includes(builder._method)) return undefined
  try {
    const { sql, cancelOnTimeout } = builder.toSQL()
    // Who may have to cancel it must know its backend. A list of statements is one of several, or of a change of schema.
    if (typeof sql !== 'string' || cancelOnTimeout === true) return undefined
    return client.positionBindings(sql)
  } catch {
    // It fails again where Knex expects it.
    return undefined
  }
}
