// The facade: a real pg.Pool for everything that asks, whose two verbs go wherever the route of the moment leads.
import type { EventEmitter } from 'node:events'
import { pg, type InnerClient, type InnerPool } from './pg-internals.js'
import type { PoolCore } from './pool-core.js'
import type { CoreView } from './pool-core-options.js'
import { ClosedRoute, type Route } from './route.js'
import type { SidePool } from './side-pool.js'

type Listener = (...args: readonly unknown[]) => void

const FORWARDED: readonly string[] = ['connect', 'acquire', 'release', 'remove']
const ENDED = (): Error => new Error('Cannot use a pool after calling end on the pool')

// pg's types make fields of what must be accessors here, so the class is written against its events alone.
const BasePool = pg.Pool as unknown as new (options: pg.PoolConfig) => EventEmitter

/**
 * A drop-in `pg.Pool` over two databases. `query`, `connect`, `end`, the counters, `options` and the events are ours;
 * `connect()` gives the real client of the inner pool, and errors of the database arrive untouched.
 *
 * It differs from pg.Pool in this: `end()` fails calls that still wait instead of leaving them pending, and a
 * checked-out client that dies without an `error` listener does not end the process.
 */
class CutoverPool extends BasePool implements CoreView {
  // A plain property: the resting path reads it and calls through, and nothing else.
  private route: Route
  readonly #core: PoolCore
  readonly #forwarders = new Map<string, readonly (() => void)[]>()
  #ending = false
  #ended = false

  constructor(core: PoolCore) {
    super({ max: 1 })
    this.#core = core
    this.route = core.route
    core.views.add(this)
    // Forwarded from the first listener to the last, so that nothing is emitted for nobody.
    super.on('newListener', (event: string) => this.#forward(event))
    super.on('removeListener', (event: string) => this.#unforward(event))
  }

  query(text?: unknown, values?: unknown, callback?: unknown): unknown {
    return this.route.query(text, values, callback)
  }

  connect(callback?: unknown): unknown {
    return this.route.connect(callback)
  }

  /**
   * Ends this view and, with the last one, both inner pools, handed-in ones too. Then what waits is failed with pg-pool's
   * text; clients that are out are waited for.
   */
  end(callback?: (error?: Error) => void): Promise<void> | undefined {
    const ended = this.#end()
    // The `Promise` option holds for all three verbs.
    if (callback === undefined) return this.#core.inner.Promise.resolve(ended)
    ended.then(
      () => process.nextTick(callback),
      (error: Error) => process.nextTick(callback, error),
    )
    return undefined
  }

  swapRoute(route: Route): void {
    if (!this.#ending) this.route = route
  }

  emitPoolError(error: Error, client: InnerClient): void {
    this.emit('error', error, client)
  }

  get totalCount(): number {
    return this.#sum((pool) => pool.inner.totalCount)
  }

  get idleCount(): number {
    return this.#sum((pool) => pool.inner.idleCount)
  }

  /** Calls that wait: in both inner pools and in the facade's own line. */
  get waitingCount(): number {
    return this.#sum((pool) => pool.inner.waitingCount) + this.#core.waiting
  }

  get expiredCount(): number {
    return this.#sum((pool) => pool.inner.expiredCount)
  }

  // The base constructor assigns the fields below and reads `options` back before the core is known.

  /** The options of the side in use. */
  get options(): InnerPool['options'] {
    return #core in this ? this.#core.inner.options : ({} as InnerPool['options'])
  }
  set options(_: unknown) {}

  /** For one more client beside the pool, as data layers make it to cancel a statement: it finds the right server. */
  get Client(): unknown {
    return #core in this ? this.#core.clients.PoolClient : undefined
  }
  set Client(_: unknown) {}

  get ending(): boolean {
    return this.#ending
  }
  set ending(_: unknown) {}

  get ended(): boolean {
    return this.#ended
  }
  set ended(_: unknown) {}

  get _clients(): readonly unknown[] {
    return this.#both((pool) => pool.inner._clients)
  }
  set _clients(_: unknown) {}

  get _idle(): readonly unknown[] {
    return this.#both((pool) => pool.inner._idle)
  }
  set _idle(_: unknown) {}

  get _pendingQueue(): readonly unknown[] {
    const { line, reads } = this.#core
    const held = [...line.nested.entries(), ...line.queue.entries(), ...reads.waiting]
    return [...this.#both((pool) => pool.inner._pendingQueue), ...held]
  }
  set _pendingQueue(_: unknown) {}

  async #end(): Promise<void> {
    if (this.#ending) throw new Error('Called end on pool more than once')
    this.#ending = true
    this.route = new ClosedRoute(ENDED)
    this.#core.views.delete(this)
    if (this.#core.views.size === 0) await this.#core.end(true)
    // The inner pools go on, and this view has no more to do with them.
    else for (const event of this.#forwarders.keys()) this.#stopForwarding(event)
    this.#ended = true
  }

  #sum(count: (pool: SidePool) => number): number {
    const { old, new: opened } = this.#core.pools
    return count(old) + count(opened)
  }

  #both(list: (pool: SidePool) => readonly unknown[]): readonly unknown[] {
    const { old, new: opened } = this.#core.pools
    return [...list(old), ...list(opened)]
  }

  #forward(event: string): void {
    if (this.#ended || !FORWARDED.includes(event) || this.#forwarders.has(event)) return
    // Handing out clients to warm a pool up is nobody's business; that they were opened is (`connect` may set them up).
    const quietly = event === 'acquire' || event === 'release'
    const removers = Object.values(this.#core.pools).map((pool) => {
      const listener: Listener = (...args) => {
        if (!quietly || !pool.muted) this.emit(event, ...args)
      }
      return pool.listen(event, listener)
    })
    this.#forwarders.set(event, removers)
  }

  #unforward(event: string): void {
    if (this.listenerCount(event) === 0) this.#stopForwarding(event)
  }

  #stopForwarding(event: string): void {
    for (const remove of this.#forwarders.get(event) ?? []) remove()
    this.#forwarders.delete(event)
  }
}

/** Makes a view of the core. It is a real `pg.Pool`, of the very class that the application imports. */
export const cutoverPool = (core: PoolCore): pg.Pool => new CutoverPool(core) as unknown as pg.Pool
