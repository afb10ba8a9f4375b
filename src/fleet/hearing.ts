// A member's own connection to one side: it is listed there, tells how it is, and hears what is asked of it.
import type { ControlConnection, Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { changeChannel, quoteIdent } from '../control/names.js'
import { readSide } from '../control/side-row.js'
import type { Side } from '../phase/phases.js'
import { answer, beat, join, leave, type Heard } from './roster.js'
import { MEMBER_APPLICATION } from './words.js'
import type { Answer, MemberIdentity, MemberState } from './words.js'

/** Below the time that a confirmation lasts, so that a connection that stalls is given up before the next one is needed. */
const STATEMENT_MILLIS = 1_000
const CONNECT_MILLIS = 1_500

/** What a side has said, and when it was asked by this process's own clock. */
export interface HeardThen extends Heard {
  readonly sentAt: number
}

export class Hearing {
  readonly side: Side
  readonly #m: Migration
  readonly #who: MemberIdentity
  readonly #connection: ControlConnection
  /** The side has a roster; it is never taken away. */
  #hasRoster = false
  #listed = false

  /** `onWord` is told of each change that is announced on this side. */
  constructor(m: Migration, side: Side, who: MemberIdentity, onWord: (word: string) => void) {
    this.side = side
    this.#m = m
    this.#who = who
    this.#connection = m.control[side].fork({
      // A member that is forgotten by a crash of the server joins again: no disk is waited for.
      session: `set application_name = '${MEMBER_APPLICATION}'; set synchronous_commit = off;
        listen ${quoteIdent(changeChannel(m.name))}`,
      statementTimeoutMillis: STATEMENT_MILLIS,
      connectTimeoutMillis: CONNECT_MILLIS,
      onNotification: (_, payload) => onWord(payload ?? ''),
    })
  }

  /** This member is, or may be, in the roster of this side. */
  get listed(): boolean {
    return this.#listed
  }

  /**
   * Asks what the side says, and joins its roster where this member is not in it yet. Before a side has a roster, which
   * every coordinator who asks members makes first, its row alone is read.
   */
  async hear(state: MemberState): Promise<HeardThen> {
    if (!this.#hasRoster && !(await this.#findRoster())) return this.#withoutRoster()
    let heard = await this.#beat(state)
    if (!heard.listed) {
      this.#listed = true
      await join(this.#connection.run, this.#m.name, this.#who, state)
      heard = await this.#beat(state)
    }
    return heard
  }

  /** Reads the row alone. */
  async look(): Promise<HeardThen> {
    const sentAt = performance.now()
    const row = await readSide(this.#connection, this.#m.name)
    return { row, call: undefined, listed: false, sentAt }
  }

  #beat(state: MemberState): Promise<HeardThen> {
    return this.hearBy(this.#connection.run, state)
  }

  /** Asks over another connection, and does not join. */
  async hearBy(run: Run, state: MemberState): Promise<HeardThen> {
    // Before it is sent: a connection may have to be opened first, and waits for its turn.
    const sentAt = performance.now()
    const heard = await beat(run, this.side, this.#m.name, this.#who.member, state)
    return { ...heard, sentAt }
  }

  async #findRoster(): Promise<boolean> {
    const [found] = await this.#connection.run<{ roster: boolean }>(
      `select to_regclass('cutover.member') is not null as roster`,
    )
    this.#hasRoster = found?.roster === true
    return this.#hasRoster
  }

  // Of an older version of the control schema; a member without a roster is listed wherever there is none.
  async #withoutRoster(): Promise<HeardThen> {
    const sentAt = performance.now()
    const [found] = await this.#connection.run<{ rows: boolean }>(
      `select to_regclass('cutover.side') is not null as rows`,
    )
    const row = found?.rows === true ? await readSide(this.#connection, this.#m.name) : undefined
    return { row, call: undefined, listed: true, sentAt }
  }

  /** False where this member is not in the roster any more. */
  answer(attempt: string, said: Answer, reason?: string): Promise<boolean> {
    return answer(this.#connection.run, this.#m.name, this.#who.member, attempt, said, reason)
  }

  /** Leaves the roster. Never rejects: a row that stays is left out by the next coordinator. */
  async leave(): Promise<void> {
    if (!this.#listed) return
    this.#listed = false
    await leave(this.#connection.run, this.#m.name, this.#who.member).catch(() => {})
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}

/** At its end a process waits for no server. */
const LEAVE_MILLIS = 500

/** Leaves the rosters, if the sides answer, and closes the connections. */
export async function endHearings(hearings: readonly Hearing[], answering: boolean): Promise<void> {
  if (answering) {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LEAVE_MILLIS)
    })
    // A row that stays is left out by the next coordinator.
    await Promise.race([Promise.all(hearings.map((one) => one.leave())), late])
    clearTimeout(timer)
  }
  await Promise.all(hearings.map((one) => one.close()))
}
