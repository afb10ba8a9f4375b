// The route in front of the direct one while reads are compared: it picks calls, and hands every one on as it is.
import { AsyncResource } from 'node:async_hooks'
import type { Route } from '../pool/route.js'
import { SampledRoute } from '../pool/sampled-route.js'
import { copyValues } from './copy-values.js'
import type { KnownRead } from './known-reads.js'

/** A call that its caller has had an answer to. */
export interface AnsweredRead {
  readonly read: KnownRead
  readonly values: readonly unknown[]
}

export class ObservedRoute implements Route {
  readonly #plain: Route
  readonly #pick: (text: string) => KnownRead | undefined
  readonly #answered: (answered: AnsweredRead) => void
  // What is compared is nobody's request: the caller's async context would show it as a part of one, and be kept by it.
  readonly #outside = new AsyncResource('pg-cutover shadow', { requireManualDestroy: true })

  /** `answered` is called in a later turn than the caller's own answer, and must not throw. */
  constructor(
    plain: Route,
    pick: (text: string) => KnownRead | undefined,
    answered: (answered: AnsweredRead) => void,
  ) {
    this.#plain = plain
    this.#pick = pick
    this.#answered = answered
  }

  query(text: unknown, values: unknown, callback: unknown): unknown {
    const sql = typeof text === 'string' ? text : textOf(text)
    const read = sql === undefined ? undefined : this.#pick(sql)
    return read === undefined
      ? this.#plain.query(text, values, callback)
      : this.#sampled(read, text, values, callback)
  }

  connect(callback: unknown): unknown {
    return this.#plain.connect(callback)
  }

  #sampled(read: KnownRead, text: unknown, values: unknown, callback: unknown): unknown {
    const copied = copiedValues(text, values)
    if (copied === undefined) return this.#plain.query(text, values, callback)
    const route = new SampledRoute(
      this.#plain,
      () => {},
      ({ failed }) => {
        if (!failed)
          this.#outside.runInAsyncScope(setImmediate, undefined, this.#answered, { read, values: copied })
      },
    )
    return route.query(text, values, callback)
  }
}

/** Undefined for what sends itself, such as a cursor, and for what cannot be read: its own call says so to the caller. */
function textOf(given: unknown): string | undefined {
  if (typeof given !== 'object' || given === null) return undefined
  try {
    const { text, submit } = given as { readonly text?: unknown; readonly submit?: unknown }
    return typeof text === 'string' && submit === undefined ? text : undefined
  } catch {
    return undefined
  }
}

/** As pg takes them: those beside a config win over those in it. */
function copiedValues(text: unknown, values: unknown): readonly unknown[] | undefined {
  if (values && typeof values !== 'function') return copyValues(values)
  if (typeof text !== 'object' || text === null) return []
  try {
    return copyValues((text as { readonly values?: unknown }).values)
  } catch {
    return undefined
  }
}
