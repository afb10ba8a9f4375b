// A statement for a client, in whichever of pg's forms it came, that can be sent later or failed unsent.
import { pg } from './pg-internals.js'

/** What pg runs on a connection: its own queries, cursors, streams. */
export interface Statement {
  submit(connection: unknown): unknown
  handleError(error: Error, connection: unknown): void
  callback?: unknown
  query_timeout?: number
}

export interface HeldStatement {
  readonly statement: Statement
  /** What the caller is given: a promise, the Submittable itself, or nothing beside a callback. */
  readonly result: unknown
  /** Its text, if that is all there is to it but for values: such a one may turn out to be a read. */
  readonly read?: string | undefined
}

type Answer = (error: Error | null, result?: unknown) => void

/** Reads the arguments as `pg.Client#query` does. */
export function holdStatement(
  config: unknown,
  values: unknown,
  callback: unknown,
  promise: PromiseConstructor,
): HeldStatement {
  if (isSubmittable(config)) {
    const given = typeof values === 'function' ? values : callback
    if (!config.callback && given) config.callback = given
    return { statement: config, result: config }
  }
  const statement = new pg.Query(
    config as string,
    values as unknown[],
    callback as () => void,
  ) as unknown as Statement & { readonly text?: unknown; readonly rows?: unknown }
  const read = typeof statement.text === 'string' && statement.rows === undefined ? statement.text : undefined
  const { query_timeout } = config as { query_timeout?: number }
  if (query_timeout !== undefined) statement.query_timeout = query_timeout
  if (statement.callback) {
    if (typeof statement.callback !== 'function') throw new TypeError('callback is not a function')
    return { statement, result: undefined, read }
  }
  const result = new promise((resolve, reject) => {
    const answer: Answer = (error, answered) => (error ? reject(error) : resolve(answered))
    statement.callback = answer
  }).catch((error: Error) => {
    // The stack leads to a socket; make it lead to whoever asked, as pg does.
    Error.captureStackTrace(error)
    throw error
  })
  return { statement, result, read }
}

export function failStatement({ statement }: HeldStatement, error: Error, connection: unknown): void {
  process.nextTick(() => statement.handleError(error, connection))
}

function isSubmittable(config: unknown): config is Statement {
  return typeof (config as Partial<Statement>).submit === 'function'
}
