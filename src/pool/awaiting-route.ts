// The route whose callers get their answers only when what they have written has also arrived elsewhere.
import type { Queryable } from './lane-face.js'
import { isInTransaction, type InnerClient } from './pg-internals.js'
import type { Route } from './route.js'

/** What comes between the answer to a call and its caller. */
export interface Afterwards {
  /** Whether a call may have written anything, by what `query` was given first and by its result. */
  mayHaveWritten(given: unknown, result: unknown): boolean
  /**
   * Undefined where the caller may go on at once; a rejection reaches him in place of the result. `client`: the one that he
   * has, if it is his.
   */
  wait(result: unknown, client?: InnerClient): Promise<void> | undefined
  /** A client was handed out: its statements wait likewise until it comes back. */
  lease(client: InnerClient): void
}

/**
 * Calls `query` in whichever of pg's forms it is meant, and `settle` with the answer before its caller has it. Where that
 * gives a promise, the caller waits for it. The end of a cursor or a stream is its reader's business: nothing is told of it.
 */
export function queryThen(
  target: Queryable,
  [given, values, callback]: readonly [unknown, unknown, unknown],
  settle: (failed: boolean, result: unknown) => Promise<void> | undefined,
): unknown {
  // A function in front is a mistake with its own error.
  if (typeof given === 'function' || isSubmittable(given)) return target.query(given, values, callback)
  if (typeof values === 'function') return target.query(given, called(values, settle), callback)
  if (typeof callback === 'function') return target.query(given, values, called(callback, settle))
  const answer = target.query(given, values, callback)
  if (!isThenable(answer)) return answer
  // The derived promise and not the inner one goes to the caller. A reaction beside the caller's own would make the
  // inner promise look handled, so that a failure nobody handles went unseen, and would cut the caller out of the stack.
  return answer.then(
    (result: unknown) => settle(false, result)?.then(() => result) ?? result,
    (error: unknown) => {
      void settle(true, undefined)
      throw error
    },
  )
}

export class AwaitingRoute implements Route {
  readonly #plain: Route
  readonly #afterwards: Afterwards

  constructor(plain: Route, afterwards: Afterwards) {
    this.#plain = plain
    this.#afterwards = afterwards
  }

  query(text: unknown, values: unknown, callback: unknown): unknown {
    const afterwards = this.#afterwards
    return queryThen(this.#plain, [text, values, callback], (failed, result) =>
      !failed && afterwards.mayHaveWritten(text, result) ? afterwards.wait(result) : undefined,
    )
  }

  connect(callback: unknown): unknown {
    if (typeof callback === 'function')
      return this.#plain.connect((error: unknown, client: InnerClient | undefined, release: unknown) => {
        if (client) this.#afterwards.lease(client)
        Reflect.apply(callback, undefined, [error, client, release])
      })
    const answer = this.#plain.connect(callback) as PromiseLike<InnerClient>
    return answer.then((client) => {
      this.#afterwards.lease(client)
      return client
    })
  }
}

/** The statements of one connection that its caller keeps: those outside a transaction wait, and the end of one. */
export class AwaitingStatements implements Queryable {
  #target: Queryable | undefined
  readonly #client: () => InnerClient
  readonly #afterwards: Afterwards
  /** Something may have been written in the transaction that is open. */
  #wrote = false

  constructor(client: () => InnerClient, afterwards: Afterwards) {
    this.#client = client
    this.#afterwards = afterwards
  }

  /** Where they go from now on. */
  over(target: Queryable): this {
    this.#target = target
    return this
  }

  query(config: unknown, values: unknown, callback: unknown): unknown {
    if (isSubmittable(config)) this.#wrote = true
    return queryThen(this.#target ?? this.#client(), [config, values, callback], (failed, result) =>
      failed ? undefined : this.#answered(config, result),
    )
  }

  #answered(config: unknown, result: unknown): Promise<void> | undefined {
    const client = this.#client()
    const commands = commandsOf(result)
    const committed = commands.includes('COMMIT')
    const wrote = this.#afterwards.mayHaveWritten(config, result)
    // In a pipeline the state may already be that of a later statement, so a write is taken for one of its own.
    const over = committed || !isInTransaction(client) || (wrote && client.pipeline)
    if (!over) {
      this.#wrote ||= wrote
      return undefined
    }
    const waits = (committed || commands.at(-1) !== 'ROLLBACK') && (wrote || this.#wrote)
    // One text may end a transaction and begin the next.
    this.#wrote = wrote && isInTransaction(client)
    return waits ? this.#afterwards.wait(result, client) : undefined
  }
}

/** One for each statement of a text. */
function commandsOf(result: unknown): unknown[] {
  const results: readonly unknown[] = Array.isArray(result) ? result : [result]
  return results.map((one) => (Object(one) as { command?: unknown }).command)
}

// The pool's `Promise` option may name any class.
const isThenable = (given: unknown): given is PromiseLike<unknown> =>
  typeof given === 'object' && given !== null && typeof (given as { then?: unknown }).then === 'function'

export const isSubmittable = (given: unknown): boolean =>
  typeof given === 'object' && given !== null && typeof (given as { submit?: unknown }).submit === 'function'

/** The caller's callback, called as it would have been. */
function called(callback: unknown, settle: Parameters<typeof queryThen>[2]) {
  return function (this: unknown, ...args: readonly unknown[]): unknown {
    const call = (): unknown =>
      Reflect.apply(callback as (...given: readonly unknown[]) => unknown, this, args)
    const waiting = settle(Boolean(args[0]), args[1])
    if (waiting === undefined) return call()
    // In a turn of its own: what it throws is no rejection of ours.
    waiting.then(
      () => process.nextTick(call),
      (error: unknown) => process.nextTick(callback as () => void, error),
    )
    return undefined
  }
}
