// Asks one side a statement and takes its answer as the server's own text, without any type parser and in bounded memory.
import { performance } from 'node:perf_hooks'
import type { Readable } from 'node:stream'
import pg from 'pg'
import { AnswerRows } from './answer-rows.js'
import type { Asked } from './answer.js'

export interface AskLimits {
  /** Of the rows, as the server sends them. */
  readonly maxBytes: number
  readonly timeoutMillis: number
  /** Rows are kept as long as all of them fit into this. Default 256 KiB. */
  readonly keepBytes?: number | undefined
  /** Has the server look up what the text names and no more: not even a plan is made, which may run functions. */
  readonly parseOnly?: boolean | undefined
}

/**
 * For sessions that compare: what changes the form of values and not the values. `datestyle` keeps its order of day and
 * month, which decides what a text means. The time zone stays, since another one really answers otherwise.
 */
export const PINNED_SETTINGS: Readonly<Record<string, string>> = {
  client_encoding: 'UTF8',
  datestyle: 'ISO',
  intervalstyle: 'postgres',
  // 1 would do from Postgres 12 on; before, it does not tell all numbers apart.
  extra_float_digits: '3',
  bytea_output: 'hex',
  xmlbinary: 'base64',
}

const KEEP_BYTES = 256 * 1024
/** Longer strings cannot be made, and the driver would throw where nobody can catch it. */
const MOST_BYTES = 256 * 1024 * 1024
/** The session's `statement_timeout` ends the statement; where the server does not answer, the connection is given up. */
const GRACE_MILLIS = 250
/** As much as Node reads at once. */
const CHUNK_BYTES = 65_536

/**
 * Never rejects. A statement that went beyond its limits is stopped at the server by ending the connection, or, where the
 * session has a `statement_timeout` of as many milliseconds, by the server itself.
 */
export function ask(
  client: pg.ClientBase,
  text: string,
  values: readonly unknown[],
  limits: AskLimits,
): Promise<Asked> {
  return new Promise((resolve) => {
    const question = new Question(client, text, values, limits, resolve)
    client.query(question)
  })
}

/** What of pg's client is used beside its `query`. */
interface AskedClient extends pg.ClientBase {
  end?: () => Promise<void>
  readonly connection?: { readonly stream: Readable }
}

interface AskedConnection {
  parse(message: { readonly name: string; readonly text: string; readonly types: readonly number[] }): void
  describe(message: { readonly type: 'S'; readonly name: string }): void
  sync(): void
}

interface RowDescription {
  readonly fields: readonly {
    readonly name: string
    readonly dataTypeID: number
    readonly columnID: number
  }[]
}

interface DataRow {
  readonly fields: readonly (string | null)[]
  readonly length: number
}

interface Failure {
  readonly message?: string
  readonly code?: unknown
}

/** pg's own query for what is sent, and nothing of it for what comes back. */
class Question extends pg.Query {
  readonly #client: AskedClient
  readonly #rows: AnswerRows
  readonly #maxBytes: number
  readonly #resolve: (asked: Asked) => void
  readonly #onData = (chunk: Buffer): void => this.#see(chunk)
  #sent = 0
  #millis = 0
  #received = 0
  #settled = false

  /** pg's client sets it to a timer's end where a timeout is set. */
  declare callback: ((error: unknown) => void) | undefined
  declare query_timeout: number
  declare prepare: (connection: AskedConnection) => void

  constructor(
    client: AskedClient,
    text: string,
    values: readonly unknown[],
    limits: AskLimits,
    resolve: (asked: Asked) => void,
  ) {
    // Extended also without values, so that a text of several statements is refused.
    super({ text, values: [...values], queryMode: 'extended' } as pg.QueryConfig)
    this.#client = client
    this.#maxBytes = Math.min(limits.maxBytes, MOST_BYTES)
    this.#rows = new AnswerRows(limits.keepBytes ?? KEEP_BYTES)
    this.#resolve = resolve
    this.query_timeout = limits.timeoutMillis + GRACE_MILLIS
    if (limits.parseOnly === true)
      this.prepare = (connection) => {
        connection.parse({ name: '', text, types: [] })
        connection.describe({ type: 'S', name: '' })
        connection.sync()
      }
    const submit = this.submit.bind(this)
    this.submit = (connection) => {
      this.#sent = performance.now()
      // A single row may be larger than all that is allowed, and is only handed over when all of it has come.
      this.#client.connection?.stream.on('data', this.#onData)
      return submit(connection)
    }
  }

  /** A client may be set to ask for binary results. */
  get binary(): boolean {
    return false
  }

  set binary(_asked: boolean) {}

  handleRowDescription({ fields }: RowDescription): void {
    this.#rows.fields = fields.map(({ name, dataTypeID, columnID }) =>
      columnID < 0 ? { name, type: dataTypeID, system: true } : { name, type: dataTypeID },
    )
  }

  handleDataRow({ fields, length }: DataRow): void {
    if (this.#settled) return
    this.#rows.add(fields, length + 1)
    if (this.#rows.bytes > this.#maxBytes) this.#giveUp('tooLarge')
  }

  handleCommandComplete(): void {
    this.#millis = performance.now() - this.#sent
  }

  handleReadyForQuery(): void {
    if (this.#settled) return
    this.#settle()
    void this.#answer()
  }

  handleError(error: Failure): void {
    if (this.#settled) return
    if (error.message === 'Query read timeout') return this.#giveUp('timeout')
    const code = typeof error.code === 'string' ? error.code : undefined
    const reusable = code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !/^(08|57P|25P0[34])/.test(code)
    this.#settle()
    this.#resolve(code === '57014' ? { kind: 'timeout', reusable } : { kind: 'failed', code, reusable })
  }

  #see(chunk: Buffer): void {
    this.#received += chunk.length
    // What comes between the rows is small; the exact count is made where a row is complete.
    if (this.#received > this.#maxBytes + CHUNK_BYTES && !this.#settled) this.#giveUp('tooLarge')
    else if (this.#received > CHUNK_BYTES) this.#takeTurns()
  }

  /** Node would go on reading for megabytes while the server is faster, and everybody else waits. */
  #takeTurns(): void {
    const stream = this.#client.connection?.stream
    if (stream === undefined) return
    stream.pause()
    setImmediate(() => stream.resume())
  }

  async #answer(): Promise<void> {
    const { fields, count: rowCount, bytes } = this.#rows
    const answer = { fields, rowCount, bytes, millis: this.#millis, ...(await this.#rows.end()) }
    this.#resolve({ kind: 'answer', answer, reusable: true })
  }

  #giveUp(kind: 'tooLarge' | 'timeout'): void {
    this.#settle()
    // Says that the end is meant, so that nobody takes it for a failure; it may wait for the statement all the same.
    void this.#client.end?.()
    this.#client.connection?.stream.destroy()
    this.#resolve({ kind, reusable: false })
  }

  #settle(): void {
    this.#settled = true
    this.#client.connection?.stream.removeListener('data', this.#onData)
    this.callback?.(undefined)
  }
}
