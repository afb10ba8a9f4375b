// One connection of our own to one side, never out of a pool: opened when first needed, opened again when lost.
import pg from 'pg'
import { CutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'
import { CONTROL_APPLICATION } from './names.js'

export type Row = Record<string, unknown>

/** Runs one statement and gives its rows. */
export type Run = <R extends Row = Row>(text: string, values?: readonly unknown[]) => Promise<R[]>

export interface ControlConnection {
  readonly side: Side
  /** Host, port and database for messages; never a secret. */
  readonly address: string
  /** One statement, in autocommit. Statements and transactions of one connection run one after the other. */
  readonly run: Run
  /** One short transaction; rolled back if `work` throws. */
  transaction<T>(work: (run: Run) => Promise<T>): Promise<T>
  /** A second, independent connection of the same kind; the caller closes it. */
  fork(): ControlConnection
  close(): Promise<void>
}

export interface ControlConnectionOptions {
  readonly side: Side
  readonly config: pg.ClientConfig
  /** Bounds every statement; below the hold, so that a stalled coordinator cannot keep its locks. Default 4,000 ms. */
  readonly statementTimeoutMillis?: number
  readonly connectTimeoutMillis?: number
  /** Every notice and notification arrives here; for LISTEN. */
  readonly onNotification?: (channel: string, payload: string | undefined) => void
}

// Values that change how the server prints or resolves things are pinned, since an ALTER ROLE may have changed them.
const sessionSettings = (statementTimeoutMillis: number): string => `
  select set_config('synchronous_commit', 'on', false), set_config('search_path', 'pg_catalog', false),
    set_config('application_name', '${CONTROL_APPLICATION}', false), set_config('default_transaction_read_only', 'off', false),
    set_config('default_transaction_isolation', 'read committed', false), set_config('datestyle', 'ISO', false),
    set_config('timezone', 'UTC', false), set_config('jit', 'off', false),
    set_config('statement_timeout', '${statementTimeoutMillis}', false),
    set_config('idle_in_transaction_session_timeout', '${statementTimeoutMillis}', false),
    case when current_setting('server_version_num')::int >= 170000
      then set_config('transaction_timeout', '${statementTimeoutMillis}', false) end`

/** Makes a control connection; nothing is opened until its first use. */
export function controlConnection(options: ControlConnectionOptions): ControlConnection {
  const { side, config } = options
  const statementTimeoutMillis = options.statementTimeoutMillis ?? 4_000
  let client: Promise<pg.Client> | undefined
  let closed = false
  let queue: Promise<unknown> = Promise.resolve()
  const target = new pg.Client({ ...config, password: '' })
  const address = `${target.host}:${target.port}/${target.database ?? ''}`

  async function open(): Promise<pg.Client> {
    const fresh = new pg.Client({
      ...config,
      // Non-enumerable on the options of a handed-in pool, so a spread loses it.
      ...(config.password === undefined ? {} : { password: config.password }),
      connectionTimeoutMillis: options.connectTimeoutMillis ?? 5_000,
      keepAlive: true,
    })
    const forget = (): void => {
      client = undefined
    }
    fresh.on('error', forget)
    fresh.on('end', forget)
    fresh.on('notification', (message) => options.onNotification?.(message.channel, message.payload))
    try {
      await fresh.connect()
      await fresh.query(sessionSettings(statementTimeoutMillis))
      return fresh
    } catch (cause) {
      forget()
      await fresh.end().catch(() => {})
      throw new CutoverError(
        'ERR_UNREACHABLE',
        `the ${side} database at ${address} could not be reached: ${cause instanceof Error ? cause.message : 'unknown'}`,
        { cause },
      )
    }
  }

  const connected = (): Promise<pg.Client> => {
    if (closed)
      throw new CutoverError('ERR_ENDED', `the control connection to the ${side} database was closed`)
    return (client ??= open())
  }

  const runOn =
    (on: pg.Client): Run =>
    async <R extends Row>(text: string, values?: readonly unknown[]) =>
      (await on.query<R>(text, values === undefined ? undefined : [...values])).rows

  function enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = queue.then(work, work)
    queue = result.catch(() => {})
    return result
  }

  const run: Run = (text, values) => enqueue(async () => runOn(await connected())(text, values))

  return {
    side,
    address,
    run,
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
    fork: () => controlConnection(options),
    async close() {
      closed = true
      const open = client
      client = undefined
      await (await open?.catch(() => undefined))?.end().catch(() => {})
    },
  }
}
