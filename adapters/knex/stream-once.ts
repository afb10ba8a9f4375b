// Streams of Knex give their connection back twice, the second time when it may be somebody else's: here once, and always.
import type { EventEmitter } from 'node:events'
import type { KnexRunner } from './dialect.js'

/** Puts another `stream` in place of the runner's own. */
export function streamOnce(runner: KnexRunner): KnexRunner {
  // The same function for all: there is a runner for every statement.
  runner.stream = stream
  return runner
}

function stream(this: KnexRunner, ...args: readonly unknown[]): unknown {
  this.client = releasingOnce(this.client)
  const runner = Object.getPrototypeOf(this) as { readonly stream: Function }
  return Reflect.apply(runner.stream, this, args)
}

// Knex releases when the statement has been read and when the stream is closed. In between another call may have been
// given the connection, perhaps for a transaction, and would share it with a third.
function releasingOnce(client: KnexRunner['client']): KnexRunner['client'] {
  let released = false
  const once = Object.create(client) as KnexRunner['client']
  once.releaseConnection = (connection) => {
    // Closed before a connection came.
    if (connection === undefined || released) return Promise.resolve()
    released = true
    return client.releaseConnection(connection)
  }
  return once
}

/**
 * Resolves when the statement that is read into a stream was given up. Knex waits for its end or its error alone, which
 * do not come if the stream was closed before its connection was there, and would never give that back.
 */
export function givenUp(stream: EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    stream.once('pipe', (source: EventEmitter) => source.once('close', resolve))
  })
}
