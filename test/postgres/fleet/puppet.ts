// A member of a fleet that does what a test says: it beats, hears its coordinator, and answers by hand.
import { setTimeout as delay } from 'node:timers/promises'
import type { ControlConnection } from '../../../src/control/control-connection.js'
import type { Migration } from '../../../src/control/migration.js'
import { changeChannel, quoteIdent } from '../../../src/control/names.js'
import { answer, beat, join, leave } from '../../../src/fleet/roster.js'
import { MEMBER_APPLICATION } from '../../../src/fleet/words.js'
import type { Answer, Call, MemberState } from '../../../src/fleet/words.js'
import type { Side } from '../../../src/phase/phases.js'

/** What it says to a call; nothing where the test wants it silent. */
export type Say = (call: Call) => readonly (Answer | readonly [Answer, string])[]

/** Does everything that it is asked for, at once. */
export const obedient: Say = ({ stage }) =>
  stage === 'arm'
    ? ['armed']
    : stage === 'hold'
      ? ['held', 'drained']
      : stage === 'stop-reads'
        ? ['stopped']
        : []

export class Puppet {
  readonly heard: Call[] = []
  readonly identity: { member: string; host: string; pid: number; service: string; version: string }
  readonly #m: Migration
  readonly #side: Side
  readonly #connection: ControlConnection
  readonly #say: Say
  readonly #backends: readonly number[]
  #stopped = false
  #living: Promise<void> | undefined

  constructor(
    m: Migration,
    side: Side,
    member: string,
    say: Say = obedient,
    backends: readonly number[] = [],
  ) {
    this.#m = m
    this.#side = side
    this.#say = say
    this.#backends = backends
    this.identity = { member, host: 'here', pid: 1, service: member, version: '1.2.3' }
    this.#connection = m.control[side].fork({
      session: `set application_name = '${MEMBER_APPLICATION}'; set synchronous_commit = off; listen ${quoteIdent(changeChannel(m.name))}`,
    })
  }

  get state(): MemberState {
    return {
      side: this.#side,
      phase: this.#side === 'old' ? 'old' : 'new',
      epoch: 0,
      inFlight: 0,
      oldestMillis: undefined,
      backends: this.#backends,
    }
  }

  /** Speaks to its side without being in the roster. */
  async connect(): Promise<void> {
    await this.#connection.run('select')
  }

  async start(): Promise<this> {
    await join(this.#connection.run, this.#m.name, this.identity, this.state)
    this.#living = this.#live()
    return this
  }

  /** From here on it says nothing more, and stays in the roster. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#living
  }

  async end(): Promise<void> {
    await this.stop()
    await leave(this.#connection.run, this.#m.name, this.identity.member)
    await this.#connection.close()
  }

  async #live(): Promise<void> {
    const { member } = this.identity
    let last: string | undefined
    while (!this.#stopped) {
      const { call } = await beat(this.#connection.run, this.#side, this.#m.name, member, this.state)
      const now = call && `${call.attempt} ${call.stage}`
      // What was over before it came is none of its business.
      if (call && now !== last && (last !== undefined || call.stage !== 'over')) {
        this.heard.push(call)
        for (const said of this.#say(call)) {
          const [word, reason] = typeof said === 'string' ? [said, undefined] : said
          await answer(this.#connection.run, this.#m.name, member, call.attempt, word, reason)
        }
      }
      last = now ?? ''
      await delay(5)
    }
  }
}
