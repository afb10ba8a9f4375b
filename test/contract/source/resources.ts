// Tells which timers, sockets and watchers a source has made and not given back, also those that keep no process alive.
import { createHook } from 'node:async_hooks'

const KINDS: ReadonlySet<string> = new Set(['Timeout', 'TCPWRAP', 'FSEVENTWRAP'])

/** Made by a source and not by the SDK behind it, the runner or the test. */
const OURS = /\/(src\/phase|adapters|examples)\//

/** What cannot be given back, holds nothing and keeps nothing alive: a signal that ends by itself, and the clock of fetch. */
const NODES_OWN = /AbortSignal\.timeout|node:internal\/deps\/undici/

export interface ResourceWatch {
  /** Those that are left, each with where it was made. */
  readonly left: readonly string[]
  /** How many there have been. */
  readonly made: number
  stop(): void
}

export function watchResources(): ResourceWatch {
  const left = new Map<number, string>()
  const limit = Error.stackTraceLimit
  let made = 0
  Error.stackTraceLimit = 50
  const hook = createHook({
    init(id, kind) {
      if (!KINDS.has(kind)) return
      const where = new Error(kind).stack ?? ''
      if (!OURS.test(where) || NODES_OWN.test(where)) return
      made++
      left.set(id, where)
    },
    destroy: (id) => void left.delete(id),
  }).enable()
  return {
    get left() {
      return [...left.values()]
    },
    get made() {
      return made
    },
    stop() {
      hook.disable()
      Error.stackTraceLimit = limit
    },
  }
}
