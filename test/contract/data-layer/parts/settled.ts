// How a call ended, in a form that can be compared between two ways to open a library.

export type Ending = { readonly ok: unknown } | { readonly error: ErrorShape }

interface ErrorShape {
  readonly class: string
  readonly name: string
  readonly message: string
  readonly code: unknown
  readonly keys: readonly string[]
  readonly cause: ErrorShape | undefined
}

export async function settled(call: PromiseLike<unknown>): Promise<Ending> {
  try {
    return { ok: await call }
  } catch (error) {
    return { error: shapeOf(error) }
  }
}

/** What a program may look at in an error: its class, name, message, code and which fields it has. */
export function shapeOf(error: unknown): ErrorShape {
  if (!(error instanceof Error)) throw new TypeError(`no error: ${String(error)}`)
  return {
    class: error.constructor.name,
    name: error.name,
    message: error.message,
    code: 'code' in error ? error.code : undefined,
    keys: Object.keys(error).toSorted(),
    cause: error.cause instanceof Error ? shapeOf(error.cause) : undefined,
  }
}

export async function rejection(call: PromiseLike<unknown>): Promise<unknown> {
  try {
    await call
  } catch (error) {
    return error
  }
  throw new Error('it was meant to fail')
}
