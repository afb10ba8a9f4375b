// One `sql` of postgres.js for each side: made when it is needed, warmed before a flip, ended when its side was left.
import { setTimeout as delay } from 'node:timers/promises'
import { refusal } from '../options.js'
import type { Side } from '../../src/index.js'
import { checkInstance, type NativeSql } from './native.js'
import { targetOf, type Target } from './scope.js'

export interface Instance extends Target {
  readonly scope: NativeSql
  uses: number
  mostUses: number
  left: boolean
}

export interface EndOptions {
  /** In seconds, as postgres.js has it. */
  readonly timeout?: number | null
}

export class Instances {
  readonly #where: string
  readonly #open: (side: Side) => unknown
  readonly #made: Partial<Record<Side, Instance>> = {}
  readonly #ending = new Set<Promise<void>>()
  readonly #warming = new Set<Promise<void>>()

  /** Makes both, which opens nothing, so that what is wrong with either shows at once. */
  constructor(where: string, open: (side: Side) => unknown) {
    this.#where = where
    this.#open = open
    const [one, other] = [this.of('old').scope, this.of('new').scope]
    const same = (['host', 'port', 'path', 'database'] as const).every(
      (key) => String(one.options[key]) === String(other.options[key]),
    )
    if (same)
      throw refusal(
        where,
        `open("old") and open("new") gave the same ${one === other ? 'sql' : 'database'}`,
        'a new sql for the database of the side that open is told',
      )
  }

  of(side: Side): Instance {
    return (this.#made[side] ??= this.#make(side))
  }

  /** Has `work` counted: an instance is not ended under it. */
  async use<T>(side: Side, work: (instance: Instance) => T | PromiseLike<T>): Promise<T> {
    const instance = this.of(side)
    instance.mostUses = Math.max(instance.mostUses, ++instance.uses)
    try {
      return await work(instance)
    } finally {
      if (--instance.uses === 0 && instance.left) this.#end(instance)
    }
  }

  /** Opens as many connections to a side as the other has had in use at once. */
  warm(side: Side, like: Side): void {
    const { mostUses, scope } = this.of(like)
    const count = Math.min(Math.max(mostUses, 1), scope.options.max)
    const warmed = this.use(side, async ({ scope: target }) => {
      // A side that cannot be connected to is for the cutover to find out.
      const opened = await Promise.allSettled(Array.from({ length: count }, () => target.reserve()))
      for (const one of opened) if (one.status === 'fulfilled') one.value.release()
    }).finally(() => this.#warming.delete(warmed))
    this.#warming.add(warmed)
  }

  /** Closes the connections to a side as soon as nothing is under way there; when it is needed again it gets new ones. */
  leave(side: Side): void {
    const instance = this.#made[side]
    if (instance === undefined) return
    delete this.#made[side]
    instance.left = true
    if (instance.uses === 0) this.#end(instance)
  }

  async end(options: EndOptions): Promise<void> {
    const { timeout } = options
    // Ended while a reservation waits for its connection, postgres.js opens that connection again and keeps it.
    const late = typeof timeout === 'number' ? [delay(timeout * 1_000, undefined, { ref: false })] : []
    await Promise.race([Promise.all(this.#warming), ...late])
    await Promise.all(Object.values(this.#made).map(({ scope }) => scope.end(options)))
    await Promise.all(this.#ending)
  }

  #make(side: Side): Instance {
    const scope = checkInstance(this.#where, this.#open(side))
    return { ...targetOf(scope), scope, uses: 0, mostUses: 0, left: false }
  }

  #end({ scope }: Instance): void {
    const ended = scope.end().finally(() => this.#ending.delete(ended))
    this.#ending.add(ended)
  }
}
