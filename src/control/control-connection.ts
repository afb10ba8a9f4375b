// One connection of our own to one side, never out of a pool: opened when first needed, opened again when lost.
import pg from 'pg'
import { addressOf } from '../address.js'
import { CutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'
import { CONTROL_APPLICATION } from './names.js'

export type Row = Record<string, unknown>

/** Runs one statement and gives its rows; of a text of several statements without values those of the last one. */
export type Run = <R extends Row = Row>(
  text: string,
  values?: readonly unknown[],
  /** Has the server plan the text once for each connection; the same name always stands for the same text. */
  prepareAs?: string,
) => Promise<R[]>

export interface ControlConnection {
  readonly side: Side
  /** Host, port and database for messages; never a secret. */
  readonly address: string
  /** One statement, in autocommit. Statements and transactions of one connection run one after the other. */
  readonly run: Run
  /** A text of several statements; the rows of each of them. */
  readonly runAll: (text: string) => Promise<Row[][]>
  /** One short transaction; rolled back if `work` throws. */
  transaction<T>(work: (run: Run) => Promise<T>): Promise<T>
  /** A second, independent connection of the same kind; the caller closes it. */
  fork(bounds?: ControlBounds): ControlConnection
  close(): Promise<void>
}

/** How long one connection may wait for what, and what it is for. */
export interface ControlBounds {
  /** Bounds every statement; below the hold, so that a stalled coordinator cannot keep its locks. Default 4,000 ms. */
  readonly statementTimeoutMillis?: number
  /** Bounds each wait for one lock. Default: the statement's own bound. */
  readonly lockTimeoutMillis?: number
  /** Default 5,000 ms. */
  readonly connectTimeoutMillis?: number
  /** Run on each new connection after our own settings, so that none is ever used without it. One text, no parameters. */
  readonly session?: string
  /** Every notification arrives here; for a `session` that listens. */
  readonly onNotification?: (channel: string, payload: string | undefined) => void
}

export interface ControlConnectionOptions extends ControlBounds {
  readonly side: Side
  readonly config: pg.ClientConfig
}

// A server answers within its own bound, so silence beyond it means that the network or the server's host stalls.
const GRACE_MILLIS = 500

// Values that change how the server prints or resolves things are pinned, since an ALTER ROLE may have changed them.
const sessionSettings = (statementTimeoutMillis: number, lockTimeoutMillis: number): string => `
  select set_config('synchronous_commit', 'on', false), set_config('search_path', 'pg_catalog', false),
    set_config('application_name', '${CONTROL_APPLICATION}', false), set_config('default_transaction_read_only', 'off', false),
    set_config('default_transaction_isolation', 'read committed', false), set_config('datestyle', 'ISO', false),
    set_config('timezone', 'UTC', false), set_config('jit', 'off', false),
    set_config('statement_timeout', '${statementTimeoutMillis}', false),
    set_config('lock_timeout', '${lockTimeoutMillis}', false),
    set_config('idle_in_transaction_session_timeout', '${statementTimeoutMillis}', false),
    case when current_setting('server_version_num')::int >= 170000
      then set_config('transaction_timeout', '${statementTimeoutMillis}', false) end`

/** Makes a control connection; nothing is opened until its first use. */
export function controlConnection(options: ControlConnectionOptions): ControlConnection {
  const { side, config } = options
  const statementTimeoutMillis = options.statementTimeoutMillis ?? 4_000
  const lockTimeoutMillis = options.lockTimeoutMillis ?? statementTimeoutMillis
  let client: Promise<pg.Client> | undefined
  let closed = false
  let queue: Promise<unknown> = Promise.resolve()
  const found = addressOf(config)
  const address = 'shown' in found ? found.shown : `an address that ${found.fault}`

  async function open(): Promise<pg.Client> {
    const fresh = new pg.Client({
      ...config,
      // Non-enumerable on the options of a handed-in pool, so a spread loses it.
      ...(config.password === undefined ? {} : { password: config.password }),
      connectionTimeoutMillis: options.connectTimeoutMillis ?? 5_000,
      keepAlive: true,
    })
    fresh.on('error', () => forget(fresh))
    fresh.on('end', () => forget(fresh))
    fresh.on('notification', (message) => options.onNotification?.(message.channel, message.payload))
    try {
      await fresh.connect()
      await runOn(fresh)(sessionSettings(statementTimeoutMillis, lockTimeoutMillis))
      if (options.session !== undefined) await runOn(fresh)(options.session)
    } catch (cause) {
      await goodbye(fresh)
      throw new CutoverError(
        'ERR_UNREACHABLE',
        `the ${side} database at ${address} could not be reached: ${cause instanceof Error ? cause.message : 'unknown'}`,
        { cause },
      )
    }
    current = fresh
    return fresh
  }

  let current: pg.Client | undefined
  const forget = (lost: pg.Client): void => {
    // Late events of a client that was lost must not throw its successor away.
    if (current === lost) client = current = undefined
  }

  const connected = async (): Promise<pg.Client> => {
    if (closed)
      throw new CutoverError('ERR_ENDED', `the control connection to the ${side} database was closed`)
    const opening = (client ??= open())
    try {
      return await opening
    } catch (error) {
      if (client === opening) client = undefined
      throw error
    }
  }

  const resultsOn =
    (on: pg.Client) =>
    async <R extends Row>(
      text: string,
      values?: readonly unknown[],
      prepareAs?: string,
    ): Promise<readonly pg.QueryResult<R>[]> => {
      const query = {
        text,
        ...(prepareAs === undefined ? {} : { name: prepareAs }),
        query_timeout: statementTimeoutMillis + GRACE_MILLIS,
        ...(values === undefined ? {} : { values: [...values] }),
      }
      try {
        const result: pg.QueryResult<R> | pg.QueryResult<R>[] = await on.query<R>(query)
        return Array.isArray(result) ? result : [result]
      } catch (error) {
        // The answer may still come, to the next statement: this connection cannot be used again.
        if (error instanceof Error && error.message === 'Query read timeout') {
          forget(on)
          void goodbye(on)
        }
        throw error
      }
    }

  const runOn =
    (on: pg.Client): Run =>
    async <R extends Row>(text: string, values?: readonly unknown[], prepareAs?: string): Promise<R[]> =>
      (await resultsOn(on)<R>(text, values, prepareAs)).at(-1)?.rows ?? []

  function enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = queue.then(work, work)
    queue = result.catch(() => {})
    return result
  }

  const run: Run = (text, values, prepareAs) =>
    enqueue(async () => runOn(await connected())(text, values, prepareAs))

  return {
    side,
    address,
    run,
    runAll: (text) => enqueue(async () => (await resultsOn(await connected())(text)).map(({ rows }) => rows)),
    transaction: (work) =>
      enqueue(async () => {
        const on = await connected()
        const inside = runOn(on)
        await inside('begin')
        try {
          const result = await work(inside)
          await inside('commit')
          return result
        } catch (error) {
          await inside('rollback').catch(() => {})
          throw error
        }
      }),
    fork: (bounds) => controlConnection({ ...options, ...bounds }),
    async close() {
      closed = true
      const opening = client
      client = current = undefined
      const last = await opening?.catch(() => undefined)
      if (last) await goodbye(last)
    },
  }
}

// A peer that stalls never answers the goodbye; the socket is then dropped.
async function goodbye(client: pg.Client): Promise<void> {
  const { connection } = client as unknown as { connection: { stream: { destroy(): void } } }
  const impatience = setTimeout(() => connection.stream.destroy(), GRACE_MILLIS)
  await client.end().catch(() => {})
  clearTimeout(impatience)
}
