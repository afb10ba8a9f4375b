// The connection of one client of `cutover.Client`: made for a side, taken to the other one, its events handed on.
import type { EventEmitter } from 'node:events'
import type { Side } from '../phase/phases.js'
import { clientConfig, type GivenConfig } from './client-config.js'
import type { PoolCore } from './pool-core.js'
import type { PoolCoreOptions } from './pool-core-options.js'
import { sessionClient, type SessionClient } from './pg-internals.js'

/** What the clients of one migration have in common. */
export interface ClientHome {
  readonly core: PoolCore
  readonly observed: Pick<PoolCoreOptions, 'name' | 'events'>
}

export type Done = (error?: Error | null) => void

// Of what the library may listen to, these come often or matter to few, so they are handed on only if asked for.
const ON_DEMAND: readonly string[] = ['notice', 'notification', 'drain']

export class ClientSession {
  inner: SessionClient
  side: Side
  /** Under way to the other side. */
  moving = false
  readonly #home: ClientHome
  readonly #given: GivenConfig
  /** What the library has and listens to. */
  readonly #face: EventEmitter
  readonly #types: unknown
  readonly #ended: () => void
  readonly #named = new NamedParameters()
  readonly #forwarded = new Set<string>()
  #unreferenced = false
  /** It was us who ended it. */
  #gaveUp = false

  constructor(home: ClientHome, given: GivenConfig, face: EventEmitter, types: unknown, ended: () => void) {
    this.#home = home
    this.#given = given
    this.#face = face
    this.#types = types
    this.#ended = ended
    this.side = home.core.side
    this.inner = this.#make(this.side)
  }

  /** Connects to the side in use. */
  connect(done: Done): void {
    const { side } = this.#home.core
    if (side !== this.side) this.#replaceUnused(side)
    const { inner } = this
    // pg-pool gives a client up in this way, which pg does not see before it connects.
    if (inner.connection.stream.destroyed) return done(new Error('timeout expired'))
    this.#listenTo(inner)
    inner.connect((error?: Error | null) => {
      if (!error) this.#connected(inner)
      done(error)
    })
  }

  /** Goes to the other side with everything that the session holds; otherwise the library is told that it was lost. */
  async move(isOver: () => boolean): Promise<Error | undefined> {
    const { side } = this.#home.core
    const left = this.inner
    this.moving = true
    try {
      const fresh = this.#make(side)
      // Few processes have such clients, and none needs this before its first move.
      const { moveSession } = await import('./move-session.js')
      const { channels } = await moveSession(left, fresh, this.#named.names)
      if (isOver()) {
        fresh.connection.stream.destroy()
        return undefined
      }
      this.side = side
      this.inner = fresh
      this.#listenTo(fresh)
      this.#connected(fresh)
      left.end(() => {})
      if (channels.length > 0) this.#warn(missed(channels))
      // What a listener asks on it comes before the statements that wait, such as the OIDs of the types in their answers.
      this.#face.emit('moved', fresh)
      this.moving = false
      return undefined
    } catch (error) {
      // It stays under way for ever, so that nothing is sent before the library is told.
      return error as Error
    }
  }

  /** As if the server had gone away, so that a pool of the library makes another client. */
  giveUp(error: Error): void {
    this.#warn(error.message)
    this.#gaveUp = true
    this.inner.connection.stream.destroy(error)
  }

  reference(on: boolean): void {
    this.#unreferenced = !on
    if (on) this.inner.ref()
    else this.inner.unref()
  }

  forward(event: string): void {
    if (!ON_DEMAND.includes(event) || this.#forwarded.has(event)) return
    this.#forwarded.add(event)
    this.#forward(this.inner, event)
  }

  #make(side: Side): SessionClient {
    const { inner } = this.#home.core.pools[side]
    const made = sessionClient(inner, clientConfig(inner, this.#given), this.#types)
    for (const event of this.#forwarded) this.#forward(made, event)
    return made
  }

  /** The library may have listened to the connection that it was shown. */
  #replaceUnused(side: Side): void {
    const { connection } = this.inner
    this.side = side
    this.inner = this.#make(side)
    for (const event of connection.eventNames())
      if (event !== 'newListener')
        for (const listener of connection.listeners(event))
          this.inner.connection.on(event, listener as () => void)
  }

  #connected(inner: SessionClient): void {
    this.#home.core.pools[this.side].watch(inner)
    this.#named.watch(inner)
    if (this.#unreferenced) inner.unref()
  }

  #listenTo(inner: SessionClient): void {
    const isMine = (): boolean => this.inner === inner
    inner.on('error', (error) => {
      // What we did must not end a process whose pool takes its own listener away for the time of a lease.
      const isForNobody = this.#gaveUp && this.#face.listenerCount('error') === 0
      if (isMine() && !isForNobody) this.#face.emit('error', error)
    })
    inner.on('end', () => {
      if (!isMine()) return
      this.#ended()
      this.#face.emit('end')
    })
    inner.on('connect', () => {
      if (isMine()) this.#face.emit('connect')
    })
  }

  #forward(inner: SessionClient, event: string): void {
    inner.on(event as 'drain', (...args: readonly unknown[]) => {
      if (event !== 'drain' || (this.inner === inner && !this.moving)) this.#face.emit(event, ...args)
    })
  }

  #warn(message: string): void {
    const { name, events } = this.#home.observed
    events.publish('warning', { name, code: 'CLIENT', message })
  }
}

const missed = (channels: readonly string[]): string =>
  `a client that listens on ${channels.map((channel) => `"${channel}"`).join(', ')} was moved and may have missed ` +
  `notifications meanwhile; cutover.listen tells of such gaps`

const SET = /\bset\s+(?:session\s+)?("?[\w$]+"?(?:\."?[\w$]+"?)+)\s*(?:=|\s+to\b)/gi
const IS_SET_CONFIG = /set_config/i
const SET_CONFIG = /\bset_config\s*\(\s*(?:'([^']+)'|\$(\d+))/gi

interface Ended {
  /** The command's tag. */
  readonly text?: string
}

/** Remembers which parameters with a dot in their names a session was given: no list of the server's has them. */
class NamedParameters {
  readonly names = new Set<string>()

  watch(client: SessionClient): void {
    client.connection.on('commandComplete', ({ text: tag }: Ended) => {
      // The two that set a parameter, of which the second is one row in most cases.
      if (tag !== 'SET' && tag !== 'SELECT 1') return
      const active: { text?: string; values?: readonly unknown[] } | null | undefined = client._activeQuery
      const text = active?.text
      if (typeof text !== 'string') return
      if (tag === 'SET') for (const [, name = ''] of text.matchAll(SET)) this.#note(name)
      else if (IS_SET_CONFIG.test(text))
        for (const [, name, at] of text.matchAll(SET_CONFIG))
          this.#note(name ?? active?.values?.[Number(at) - 1])
    })
  }

  #note(name: unknown): void {
    if (typeof name === 'string' && name.includes('.')) this.names.add(name.replaceAll('"', ''))
  }
}
