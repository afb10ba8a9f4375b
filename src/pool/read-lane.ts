// Reads on connections of their own while everything else is held: so many at once, the rest in the order of their calls.
import type { Side } from '../phase/phases.js'
import type { CatalogQuery, Statements } from '../reads/statements.js'
import pg from 'pg'
import { HoldQueue, type Acquisition } from './hold-queue.js'
import type { InnerClient, InnerPool } from './pg-internals.js'
import { closeReadOnlyPool, readOnlyPool } from './read-pool.js'
import type { SidePool } from './side-pool.js'
import { warmUp } from './warm-up.js'
import { within } from './within.js'

// It is no reason against a move that a server gives no connections for this.
const CONNECT_MILLIS = 2_000

export interface LaneHooks {
  /** Asked in the turn in which a call has its client, since the hold may be over by then. */
  mayStart(entry: Acquisition): boolean
  /** A read is about to be sent. */
  started(client: InnerClient): void
  /** No connection can be had any more. */
  failed(error: Error): void
  /** Takes what cannot be started here, in the order of its calls. */
  back(entries: HoldQueue): void
}

export class ReadLane {
  /** Every connection is open, and the side's catalogs are known. */
  ready = false
  /** Calls that wait for one of the connections. */
  readonly waiting = new HoldQueue()
  /** Calls that have been given a place and not yet a client. */
  readonly #starting = new HoldQueue()
  readonly #side: Side
  readonly #pool: InnerPool
  readonly #hooks: LaneHooks
  /** Lower than that of the pool once the server has refused a connection. */
  #max: number
  #running = 0
  /** Clients that have a read. */
  readonly #reading = new Set<InnerClient>()

  constructor(pool: SidePool, max: number, hooks: LaneHooks) {
    this.#side = pool.side
    this.#pool = readOnlyPool(pool, { applicationName: 'pg-cutover reads', max })
    this.#max = max
    this.#hooks = hooks
  }

  /** Opens connections and learns the catalogs as they are now. Rejects where there is no connection, or not soon. */
  async open(wanted: number, statements: Statements): Promise<void> {
    const query: CatalogQuery = (text, values = []) =>
      // With pg's own parsers: those of the application may make anything of what a catalog says.
      this.#pool.query({ text, values: [...values], types: pg.types }) as ReturnType<CatalogQuery>
    const warm = warmUp(this.#pool, Math.min(wanted, this.#max), undefined).catch((error: unknown) => {
      // Some are better than none.
      if (this.#pool.idleCount === 0) throw error
      this.#max = this.#pool.idleCount
    })
    await within(CONNECT_MILLIS, warm, 'the server gave no connection')
    await statements.learn(this.#side, query)
    this.ready = true
  }

  take(entry: Acquisition): void {
    if (this.#running < this.#max) this.#start(entry)
    else this.waiting.append(entry)
  }

  /**
   * Gives back what was not sent. What was sent is left alone: its answer is a state of the database between its call and
   * its end, which misses nothing that was acknowledged before the call, and to wait for it would make the pause as long
   * as the longest read.
   */
  stop(): void {
    for (const entries of [this.#starting, this.waiting]) this.#hooks.back(entries)
  }

  /** Closes the connections that have a read when it is done, and all others at once. */
  end(): Promise<void> {
    this.ready = false
    this.stop()
    return closeReadOnlyPool(this.#pool, this.#reading)
  }

  #start(entry: Acquisition): void {
    this.#running++
    this.#starting.append(entry)
    this.#pool.connect((error, client, release) => {
      const isMine = entry.queue === this.#starting
      if (isMine) this.#starting.remove(entry)
      const done = (fault?: Error | boolean): void => {
        if (client) this.#reading.delete(client)
        release(fault)
        this.#running--
        this.#pump()
      }
      if (error || !client) {
        this.#running--
        if (isMine) this.#refused(entry, error ?? new Error('no client'))
      } else if (!isMine) done()
      else if (this.#hooks.mayStart(entry)) {
        this.#reading.add(client)
        this.#hooks.started(client)
        entry.resource.runInAsyncScope(entry.callback, undefined, undefined, client, done)
      } else {
        this.#giveBack(entry)
        done()
      }
    })
  }

  #pump(): void {
    while (this.#running < this.#max && this.waiting.head) {
      const { head } = this.waiting
      this.waiting.remove(head)
      this.#start(head)
    }
  }

  /** Makes do with the connections that there are. Without a single one nobody is served here any more. */
  #refused(entry: Acquisition, error: Error): void {
    const connected = this.#pool._clients.filter(({ _connected }) => _connected !== false).length
    this.#max = Math.max(connected, this.#running)
    if (this.#max > 0) {
      this.waiting.takeIn(only(entry))
      this.#pump()
    } else {
      this.#giveBack(entry)
      this.#hooks.failed(error)
    }
  }

  #giveBack(entry: Acquisition): void {
    this.#hooks.back(only(entry))
  }
}

function only(entry: Acquisition): HoldQueue {
  const queue = new HoldQueue()
  queue.append(entry)
  return queue
}
