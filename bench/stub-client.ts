// A client that answers every query in the next turn of the loop, for real pools without a server.
import { EventEmitter } from 'node:events'
import type pg from 'pg'

type Callback = (error: Error | undefined, result?: unknown) => void

class StubClient extends EventEmitter {
  readonly processID = null
  readonly readyForQuery = true
  readonly _connected = true
  readonly _queryable = true
  readonly _ending = false
  readonly _activeQuery = undefined
  readonly _queryQueue: readonly unknown[] = []

  connect(callback: Callback): void {
    setImmediate(callback, undefined, this)
  }

  query(_text: unknown, values: unknown, callback?: Callback): Promise<unknown> | undefined {
    const answer = { rows: [] }
    const called = callback ?? values
    if (typeof called !== 'function') return Promise.resolve(answer)
    setImmediate(called as Callback, undefined, answer)
    return undefined
  }

  getTransactionStatus(): 'I' {
    return 'I'
  }

  ref(): void {}

  unref(): void {}

  end(callback?: () => void): void {
    this.emit('end')
    if (callback) setImmediate(callback)
  }
}

/** The config of a real `pg.Pool` over stub clients. */
export const stubConfig = (max: number): pg.PoolConfig => ({
  max,
  Client: StubClient as unknown as new () => pg.ClientBase,
})
