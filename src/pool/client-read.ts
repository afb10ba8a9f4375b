// The reads of one client while its other statements wait: on its own session, since no other one is set up alike.
import pg from 'pg'
import type { Side } from '../phase/phases.js'
import { FENCE_SQLSTATE, readFence } from './fence-error.js'
import type { HeldStatement, Statement } from './held-statement.js'
import { isBusy, type SessionClient } from './pg-internals.js'
import type { PoolCore } from './pool-core.js'

// The server refuses what is no read after all, and the drain knows the name.
const BEGIN = `begin read only; set local application_name = 'pg-cutover reads'`
const END = 'commit'

// Texts are read as by servers where a backslash in a string is nothing special; this session may have been set otherwise.
const ASK = `; select pg_catalog.current_setting('standard_conforming_strings') as strings`
const asTheyAre = { getTypeParser: () => (value: string) => value }

// What a pool of a library asks at the end of a lease, before it hands an answer over. It touches no data.
const RESET = /^\s*discard\s+all\s*;?\s*$/i

type Answer = (error: Error | null, result?: unknown) => void

export class ClientRead {
  readonly #core: PoolCore
  /** From the beginning of its transaction to the end of it. */
  underWay = false

  constructor(core: PoolCore) {
    this.#core = core
  }

  /**
   * Sends a statement if it is answered although new work is held; `over` is called when the session is free again, with
   * the statement if that was refused since it is no read. False where it has to wait.
   */
  begin(
    client: SessionClient,
    side: Side,
    held: HeldStatement | undefined,
    over: (again: HeldStatement | undefined) => void,
  ): boolean {
    const { admission, reads, counters } = this.#core
    if (side !== this.#core.side) return false
    if (held?.read === undefined || isBusy(client)) return false
    const { read: text, statement } = held
    const { state } = this.#core
    const resets = state.kind === 'held' && state.reads && RESET.test(text)
    if (!resets && !this.#core.flows(text)) return false
    // What is asked within a pin or a transaction is what the drain waits for.
    if (admission.outer(client) !== undefined) return false
    const { backends } = this.#core.pools[side]
    const answer = statement.callback as Answer
    const rest = (again?: HeldStatement): void => {
      this.underWay = false
      // Otherwise it is about to leave this side by itself, and is not to be sent away.
      if (this.#core.side === side) backends.setApart(client.processID, false)
      over(again)
    }
    /** The caller hears of it when its client is at rest again, unless it has given up on it or the connection is lost. */
    const finish = (error: Error | null, result?: unknown): void => {
      const mistaken = isMistake(error)
      if (mistaken) reads.mistaken(text)
      const hasLeft = error !== null && !('severity' in error)
      client.query(END, () => {
        rest(mistaken ? { ...held, read: undefined } : undefined)
        if (!mistaken && !hasLeft) answer(error, result)
      })
      if (hasLeft) answer(error)
    }
    this.underWay = true
    backends.setApart(client.processID, true)
    if (resets) {
      const sent = copyOf(statement, (error, result) => {
        rest()
        answer(error, result)
      })
      client.query(sent)
      return true
    }
    counters.heldReads++
    const begin = { text: text.includes('\\') ? BEGIN + ASK : BEGIN, types: asTheyAre }
    client.query(begin, (refused: Error | null, begun: unknown) => {
      if (refused) finish(refused)
      else if (begin.text === BEGIN || stringsOf(begun) === 'on') client.query(copyOf(statement, finish))
      else client.query(END, () => rest({ ...held, read: undefined }))
    })
    return true
  }
}

interface QueryFields extends Statement {
  readonly _rowMode?: unknown
}

/** One that was sent cannot be sent again. */
function copyOf(statement: Statement, answer: Answer): Statement {
  const { _rowMode: rowMode, query_timeout, ...config } = statement as QueryFields & pg.QueryConfig
  const { text, values, name, types, queryMode, binary } = config as pg.QueryConfig & {
    readonly queryMode?: string
    readonly binary?: boolean
  }
  const given = { text, values, name, types, queryMode, binary, rowMode }
  const copy = new pg.Query(given as pg.QueryConfig, undefined, answer as () => void) as unknown as Statement
  if (query_timeout !== undefined) copy.query_timeout = query_timeout
  return copy
}

/** What the last of several statements has answered. */
function stringsOf(answers: unknown): unknown {
  const last: unknown = Array.isArray(answers) ? answers.at(-1) : undefined
  return (last as pg.QueryResult<{ strings: unknown }> | undefined)?.rows[0]?.strings
}

const isMistake = (error: unknown): boolean =>
  (Object(error) as { code?: unknown }).code === FENCE_SQLSTATE && readFence(error) === undefined
