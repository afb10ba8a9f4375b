// Who listens to which channel in this process, and how they are told.
import { AsyncResource } from 'node:async_hooks'
import type { Heard, Listener } from './listener.js'

export interface Subscription {
  readonly channel: string
  readonly listener: Listener
  /** Its `listen` has resolved, so that from here on a gap concerns it. */
  live: boolean
}

export class ListenChannels {
  readonly #all = new Map<string, Set<Subscription>>()

  get names(): readonly string[] {
    return [...this.#all.keys()]
  }

  has(channel: string): boolean {
    return this.#all.has(channel)
  }

  /** Whoever notifies is none of the listener's business: it runs in the context of whoever listens. */
  add(channel: string, listener: Listener): Subscription {
    const subscription = { channel, listener: AsyncResource.bind(listener), live: false }
    const others = this.#all.get(channel)
    if (others) others.add(subscription)
    else this.#all.set(channel, new Set([subscription]))
    return subscription
  }

  /** Whether it was the last of its channel. */
  remove(subscription: Subscription): boolean {
    const { channel } = subscription
    const all = this.#all.get(channel)
    if (!all?.delete(subscription) || all.size > 0) return false
    return this.#all.delete(channel)
  }

  clear(): void {
    this.#all.clear()
  }

  tell(heard: Heard): void {
    for (const subscription of this.#all.get(heard.channel) ?? []) {
      if (heard.kind === 'resync' && !subscription.live) continue
      try {
        subscription.listener(heard)
      } catch (error) {
        // One that fails must not cost the others their notification, nor be silent.
        process.nextTick(() => {
          throw error
        })
      }
    }
  }
}
