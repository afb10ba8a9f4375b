// What the lane of one client waits for: its turn in the line of all, the end of what its connection has under way, its reads.
import type { ClientRead } from './client-read.js'
import type { Acquisition } from './hold-queue.js'
import type { InnerClient, SessionClient } from './pg-internals.js'
import type { PoolCore } from './pool-core.js'

/** The one place that a client has in the line of all, however many of its statements wait behind it. */
export class PlaceInLine {
  readonly #core: PoolCore
  #entry: Acquisition | undefined

  constructor(core: PoolCore) {
    this.#core = core
  }

  get isTaken(): boolean {
    return this.#entry !== undefined
  }

  /** Asks to be let through, perhaps in this very turn. */
  take(own: InnerClient, answered: (error: Error | undefined) => void): void {
    let over = false
    const entry = this.#core.admission.enter((error) => {
      over = true
      this.#entry = undefined
      answered(error)
    }, own)
    if (!over) this.#entry = entry
  }

  leave(): void {
    if (this.#entry === undefined) return
    this.#entry.queue?.remove(this.#entry)
    this.#entry = undefined
    this.#core.line.watch()
  }
}

/** Calls back once when a connection has nothing under way, however often that is asked for. */
export class NextReady {
  readonly #then: () => void
  #client: SessionClient | undefined

  constructor(then: () => void) {
    this.#then = then
  }

  /** Of the client that was given last, since the one before it was left. */
  watch(client: SessionClient): void {
    if (this.#client === client) return
    this.#client = client
    client.connection.once('readyForQuery', () => {
      if (this.#client !== client) return
      this.#client = undefined
      this.#then()
    })
  }
}

/** The reads of one client in a hold. Few processes have such clients: what sends them is loaded in the first hold. */
export class LaneReads {
  readonly #core: PoolCore
  readonly #loaded: () => void
  #read: ClientRead | undefined
  #asked = false

  /** `loaded` is called once there may be an answer where there was none before. */
  constructor(core: PoolCore, loaded: () => void) {
    this.#core = core
    this.#loaded = loaded
  }

  get underWay(): boolean {
    return this.#read?.underWay === true
  }

  /** As {@link ClientRead.begin}; false until that is loaded. */
  begin(...call: Parameters<ClientRead['begin']>): boolean {
    if (this.#read) return this.#read.begin(...call)
    if (!this.#asked && this.#core.state.kind === 'held') void this.#load()
    return false
  }

  async #load(): Promise<void> {
    this.#asked = true
    const { ClientRead } = await import('./client-read.js')
    this.#read = new ClientRead(this.#core)
    this.#loaded()
  }
}
