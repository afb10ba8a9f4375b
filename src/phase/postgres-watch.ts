// Watches one row of a wish table: listens, reads again at each change, and comes back by itself after an outage.
import pg from 'pg'
import { NoAnswer, PostgresLine } from './postgres-line.js'
import type { WishTable } from './postgres-wish-table.js'
import type { SourceReport } from './source.js'
import { noRow, whyUnreadable } from './unreadable-wish.js'

export interface WishWatchOptions {
  readonly config: pg.ClientConfig
  /** Host, port and database for messages; never a secret. */
  readonly address: string
  readonly table: WishTable
  /** The key of the row. */
  readonly migration: string
  readonly pollMillis: number
  /** For a connection to be made, and for each answer on it. */
  readonly answerMillis: number
}

export interface WishWatch {
  /** Nothing is reported after this was called. Idempotent. */
  close(): Promise<void>
}

const FIRST_PAUSE_MILLIS = 100
const LONGEST_PAUSE_MILLIS = 10_000

/** Starts to watch. An outage is reported once; the row is read again after each, whether it has changed or not. */
export function watchWish(options: WishWatchOptions, report: (report: SourceReport) => void): WishWatch {
  const { config, address, table, migration, pollMillis, answerMillis } = options
  const session = sessionSql(table, answerMillis)
  const closing = new AbortController()
  let line: PostgresLine | undefined
  let endPause: () => void = () => {}
  let outage = false
  let last: string | undefined

  function tell(found: SourceReport): void {
    const key = JSON.stringify(found)
    if (closing.signal.aborted || key === last) return
    last = key
    report(found)
  }

  function tellOutage(error: unknown): void {
    if (outage) return
    outage = true
    tell({ kind: 'unavailable', reason: `${address}: ${describeFailure(error)}` })
  }

  function pause(failures: number): Promise<void> {
    const whole = Math.min(FIRST_PAUSE_MILLIS * 2 ** failures, LONGEST_PAUSE_MILLIS)
    // A whole fleet loses its server at the same moment, and should not come back at the same moment.
    const millis = whole * (0.5 + Math.random() / 2)
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, millis).unref()
      endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async function stay(): Promise<void> {
    let failures = 0
    while (!closing.signal.aborted) {
      let stood = false
      try {
        line = new PostgresLine(config, answerMillis)
        await line.open(session)
        // One read at a time: any number of changes during a read cause one more.
        for (;;) {
          tell(await readWish(line, table, migration))
          stood = true
          outage = false
          await line.woken(pollMillis)
        }
      } catch (error) {
        // A standing connection that is cut may be back at once, and then nothing was missed.
        if (!stood || error instanceof NoAnswer) tellOutage(error)
      }
      await line?.close()
      // Soon back, but not at full speed to a server that takes connections and drops them.
      if (stood) failures = Math.min(failures, 1)
      if (!closing.signal.aborted) await pause(failures++)
    }
  }
  const stayed = stay()

  return {
    async close() {
      closing.abort()
      endPause()
      await line?.close()
      await stayed
    },
  }
}

async function readWish(line: PostgresLine, table: WishTable, migration: string): Promise<SourceReport> {
  try {
    const rows = await line.run<{ phase: string | null }>(
      `select phase::text as phase from ${table.quoted} where name = $1 limit 2`,
      [migration],
    )
    if (rows.length === 1) return { kind: 'value', value: rows[0]?.phase }
    // Only in a table without its key. Which of them is read first may change with every vacuum.
    const reason =
      rows.length === 0
        ? noRow(table, migration)
        : `${table.name} has several rows for "${migration}"; make "name" its primary key`
    return { kind: 'unavailable', reason }
  } catch (error) {
    const reason = whyUnreadable(table, error)
    if (reason === undefined) throw error
    return { kind: 'unavailable', reason }
  }
}

/** In SQL, since startup parameters are refused by some poolers, and a connection string's would come before ours. */
function sessionSql(table: WishTable, answerMillis: number): string {
  // The server gives up first, so that no backend waits for a lock on behalf of a connection that was thrown away.
  const statementMillis = Math.ceil(answerMillis * 0.8)
  return `set application_name = 'pg-cutover source'; set default_transaction_read_only = on;
    set statement_timeout = ${statementMillis}; listen ${pg.escapeIdentifier(table.channel)}`
}

/** Of several addresses that were all refused the error has no text of its own. */
function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.message !== '') return error.message
  return 'code' in error ? String(error.code) : error.name
}
