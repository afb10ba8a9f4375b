// `cutover.Client`: a pg.Client for libraries that make their own, whose connection follows the migration.
import type { EventEmitter } from 'node:events'
import { pg } from './pg-internals.js'
import { AwaitingStatements } from './awaiting-route.js'
import { givenConfig, type GivenConfig } from './client-config.js'
import { backendToCancel, requestCancel, sideOfBackend } from './cancel.js'
import { ClientLane } from './client-lane.js'
import type { ClientHome } from './client-session.js'
import type { LaneFace, Queryable } from './lane-face.js'
import type { PoolCore } from './pool-core.js'

// pg's types make fields of what must be accessors here, so the class is written against its events alone.
const BaseClient = pg.Client as unknown as new (
  config: unknown,
) => EventEmitter & { readonly _types: unknown }

/** What pg keeps for a connection, and pools and libraries read. */
const OF_THE_CONNECTION = [
  'connection',
  'connectionParameters',
  'host',
  'port',
  'user',
  'database',
  'ssl',
  'sslNegotiation',
  'pipeline',
  'binary',
  'processID',
  'secretKey',
  'readyForQuery',
  'hasExecuted',
  '_queryable',
  '_ending',
  '_ended',
  '_connecting',
  '_connected',
  '_connectionError',
  '_activeQuery',
  '_queryQueue',
  '_sentQueryQueue',
  '_txStatus',
] as const

// pg's own constructor makes a socket unless it is given a connection, and reads some of what it has just set.
const NOTHING = {}

type Callback = (error?: Error | null, client?: unknown) => void

class CutoverClient extends BaseClient implements LaneFace {
  // A plain property: the resting path reads it and calls through, and nothing else.
  now!: Queryable
  readonly lane: ClientLane
  readonly #core: PoolCore
  readonly #promise: PromiseConstructor
  #awaiting: AwaitingStatements | undefined

  constructor(home: ClientHome, given: GivenConfig) {
    super({ types: given.types, Promise: given.Promise, connection: NOTHING })
    this.#core = home.core
    this.#promise = given.Promise ?? Promise
    this.lane = new ClientLane(home, given, this, this._types)
    this.show(this.lane)
    this.on('newListener', (event: string) => this.lane.session.forward(event))
  }

  query(config?: unknown, values?: unknown, callback?: unknown): unknown {
    return this.now.query(config, values, callback)
  }

  show(target: Queryable): void {
    const { afterwards } = this.#core.inFront
    if (afterwards) this.#awaiting ??= new AwaitingStatements(() => this.lane.client, afterwards)
    this.now = (afterwards && this.#awaiting?.over(target)) ?? target
  }

  connect(callback?: Callback): Promise<this> | undefined {
    if (callback) {
      this.lane.connect((error) => (error ? callback(error) : callback(null, this)))
      return undefined
    }
    return new this.#promise((resolve, reject) => {
      this.lane.connect((error) => (error ? reject(error) : resolve(this)))
    })
  }

  end(callback?: () => void): unknown {
    return this.lane.end(callback)
  }

  ref(): void {
    this.lane.session.reference(true)
  }

  unref(): void {
    this.lane.session.reference(false)
  }

  /** Of a client that need not be connected: gives up a statement of another one, on the server where it runs. */
  cancel(target: unknown, query: unknown): void {
    if (target instanceof CutoverClient) {
      const { lane } = target
      if (!lane.withdraw(query)) requestCancel(this.#core.pools[lane.side], lane.client, query)
      return
    }
    const { processID } = target as { processID?: number | null }
    const side = sideOfBackend(this.#core, processID ?? 0)
    requestCancel(this.#core.pools[side], target, query)
  }
}

for (const name of OF_THE_CONNECTION)
  Object.defineProperty(CutoverClient.prototype, name, {
    configurable: true,
    get(this: Partial<CutoverClient>): unknown {
      return this.lane ? Reflect.get(this.lane.client, name) : NOTHING
    },
    set(this: Partial<CutoverClient>, value: unknown) {
      if (this.lane) Reflect.set(this.lane.client, name, value)
    },
  })

export interface ClientClasses {
  /** For libraries that make their own clients. */
  readonly Client: typeof pg.Client
  /**
   * In the place of `pool.Client`, with which data layers make one more client to cancel the statement of another: it
   * reads every text, and sends a request to cancel to the server that has the backend.
   */
  readonly PoolClient: typeof pg.Client
}

/** The classes of one migration. */
export function clientClasses(core: PoolCore, observed: ClientHome['observed']): ClientClasses {
  const home = { core, observed }
  class Client extends CutoverClient {
    constructor(config?: string | pg.ClientConfig) {
      super(home, givenConfig(config))
    }
  }
  class PoolClient extends Client {
    override query(config?: unknown, values?: unknown, callback?: unknown): unknown {
      const processId = backendToCancel(config, values)
      if (processId === undefined) return super.query(config, values, callback)
      return this.lane.cancel(processId, config, values, callback)
    }
  }
  return { Client, PoolClient } as unknown as ClientClasses
}
