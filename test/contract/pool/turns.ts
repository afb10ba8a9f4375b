// Ways to look at a promise, an event or the event loop without waiting for time to pass.
import type { EventEmitter } from 'node:events'

/** The arguments of the next event of that name. Other than `once` of Node it does not listen for errors. */
export function eventOf(emitter: EventEmitter, name: string): Promise<unknown[]> {
  return new Promise((resolve) => {
    emitter.once(name, (...args: unknown[]) => resolve(args))
  })
}

/** The first error of a client; a lost connection may cause several, and one without a listener ends the process. */
export function lossOf(client: EventEmitter): Promise<Error> {
  return new Promise((resolve) => {
    client.on('error', resolve)
  })
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** Whether a promise has been settled when everything that is due now has run. */
export async function stateOf(promise: Promise<unknown>): Promise<'pending' | 'fulfilled' | 'rejected'> {
  const settled = promise.then(
    () => 'fulfilled' as const,
    () => 'rejected' as const,
  )
  await nextTurn()
  return Promise.race([settled, nextTurn().then(() => 'pending' as const)])
}

/** The reason a promise is rejected with; fails if it is fulfilled. */
export async function reasonOf(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    if (error instanceof Error) return error
    throw new TypeError('rejected with something that is no Error', { cause: error })
  }
  throw new Error(`fulfilled instead of rejected, with ${String(value)}`)
}
