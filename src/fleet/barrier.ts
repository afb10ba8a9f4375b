// The coordinator's part of a barrier: asks every member of the fleet for the same thing and waits until all have answered.
import { hostname } from 'node:os'
import { randomUUID } from 'node:crypto'
import type { ControlConnection } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { answerChannel, quoteIdent } from '../control/names.js'
import { CutoverError } from '../errors.js'
import type { Phase, Side } from '../phase/phases.js'
import { Answers } from './answers.js'
import { call } from './call-row.js'
import { Pulses } from './pulses.js'
import { leave, listMembers, unlistedProcesses } from './roster.js'
import { CONFIRMED_MILLIS, describeMember, FLEET_PROTOCOL, SILENT_MILLIS } from './words.js'
import type { Answer, Call, Member, Stage } from './words.js'

/** What the members are told besides the stage; known from the preparation on. */
export interface Order {
  readonly epoch: number
  readonly target: Phase
  readonly tables: readonly string[]
}

/** A notification wakes at once; this is for one that was lost. */
const LOOK_MILLIS = 50
/** On top of what a member may still serve: its last statement has to reach the server first. */
const MARGIN_MILLIS = 50
const REASON_LENGTH = 500
/** At the end of an attempt nobody waits for a side that does not answer. */
const OVER_MILLIS = 1_000

/** One attempt's. Everything is asked on the side being left. */
export class Barrier {
  /** Names the attempt to the members. */
  readonly attempt = randomUUID()
  readonly #m: Migration
  readonly #connection: ControlConnection
  readonly #pulses = new Pulses()
  #members: readonly Member[] = []
  readonly #answers = new Answers(this.attempt)
  #order: Order | undefined
  #wake: (() => void) | undefined
  #afterFence: Promise<void> | undefined
  #heard = false
  #lookedAt = 0

  constructor(m: Migration, from: Side) {
    this.#m = m
    this.#connection = m.control[from].fork({
      // Nothing of it has to survive a crash, and nobody is to wait for a disk.
      session: `set synchronous_commit = off; listen ${quoteIdent(answerChannel(m.name))}`,
      statementTimeoutMillis: OVER_MILLIS,
      connectTimeoutMillis: OVER_MILLIS,
      onNotification: (_, payload) => this.#hear(payload ?? ''),
    })
  }

  /** Who takes part besides this process, by the last look. */
  get members(): readonly Member[] {
    return this.#members
  }

  /** The server's process ids of their connections to this side. */
  backends(side: Side): number[] {
    return this.#members.flatMap((member) => (member.side === side ? member.backends : []))
  }

  /**
   * Has every member get ready. One that has gone without a word is left out as soon as that is certain, with a warning;
   * one that understands another protocol ends the attempt with `ERR_MEMBERS`.
   */
  async arm(order: Order, deadline: number): Promise<void> {
    this.#order = order
    await this.#ask('arm')
    await this.#answered('armed', deadline, async (missing) => {
      this.#refuseStrangers()
      await this.#prune(missing)
    })
    this.#refuseStrangers()
    // Before the first rows there was nothing that could confirm anybody, so everybody served.
    if (order.epoch === 1) await this.#nobodyUnlisted(deadline)
  }

  /** Resolves when all have stopped to begin new work. */
  async hold(deadline: number): Promise<void> {
    await this.#ask('hold')
    await this.#answered('held', deadline)
  }

  /** Resolves when nothing that began before runs in any member. */
  drained(deadline: number): Promise<void> {
    return this.#answered('drained', deadline)
  }

  /** The fence is committed: where nobody else takes part, the roster is read again meanwhile for {@link stopReads}. */
  fenced(): void {
    if (this.#members.length > 0) return
    this.#afterFence = this.#look()
    this.#afterFence.catch(() => {})
  }

  /**
   * Resolves when no member reads this side any more; gives those who have not said so, but whose right to serve has run
   * out since the fence was closed, which was at `fencedAt` by our own clock.
   */
  async stopReads(deadline: number, fencedAt: number): Promise<readonly Member[]> {
    // Whoever is listed after the fence's commit counts; whoever joins later reads a row that confirms nobody.
    await this.#afterFence
    if (this.#afterFence && this.#members.length === 0) return []
    await this.#ask('stop-reads')
    const lapsedAt = fencedAt + CONFIRMED_MILLIS + MARGIN_MILLIS
    await this.#answered('stopped', deadline, (missing) => {
      const waitedOut =
        performance.now() >= lapsedAt || missing.every((member) => this.#pulses.isSilent(member))
      return Promise.resolve(waitedOut ? 'enough' : undefined)
    })
    return this.#answers.missing(this.#members, 'stopped')
  }

  /** Tells all that the attempt is over. Without an outcome it will be tried again. Never rejects. */
  async over(outcome: Call['outcome'], reason?: string): Promise<void> {
    if (!this.#order) return
    await this.#ask('over', outcome, reason).catch(() => {})
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  async #ask(stage: Stage, outcome?: Call['outcome'], reason?: string): Promise<void> {
    if (!this.#order)
      throw new CutoverError('ERR_MEMBERS', 'the fleet was asked before it was told of the attempt')
    const asked: Call = {
      ...this.#order,
      attempt: this.attempt,
      stage,
      coordinator: `pid ${process.pid} on ${hostname()}`,
      outcome,
      reason: reason?.slice(0, REASON_LENGTH),
    }
    this.#note(await call(this.#connection.run, this.#m.name, asked))
  }

  async #look(): Promise<void> {
    this.#note(await listMembers(this.#connection.run, this.#m.name))
  }

  // Told once it is committed, so a look would find it; the reason of a failure is in the row alone.
  #hear(payload: string): void {
    const answer = this.#answers.hear(payload)
    if (answer === undefined) return
    if (answer === 'failed') this.#lookedAt = -Infinity
    this.#heard = true
    this.#wake?.()
  }

  #note(all: readonly Member[]): void {
    this.#lookedAt = performance.now()
    this.#pulses.note(all)
    this.#members = all.filter(({ member }) => member !== this.#m.self)
  }

  /** `missed` is told who has not answered at each look, and may say that the others are enough. */
  async #answered(
    wanted: Answer,
    deadline: number,
    missed?: (missing: readonly Member[]) => Promise<'enough' | undefined | void>,
  ): Promise<void> {
    for (;;) {
      const failed = this.#members.filter(
        ({ said, attempt }) => said === 'failed' && attempt === this.attempt,
      )
      if (failed.length > 0) throw this.#refusal(failed, ({ reason }) => reason ?? 'it has given no reason')
      const missing = this.#answers.missing(this.#members, wanted)
      if (missing.length === 0) return
      if ((await missed?.(missing)) === 'enough') return
      if (performance.now() >= deadline) {
        throw this.#refusal(missing, (member) => {
          const word = this.#answers.of(member)
          return word ? `it has come to "${word}" only` : 'it has not answered'
        })
      }
      const lookAt = Math.min(this.#lookedAt + LOOK_MILLIS, deadline)
      await this.#something(lookAt - performance.now())
      if (performance.now() >= this.#lookedAt + LOOK_MILLIS) await this.#look()
    }
  }

  /** Resolves at the next notification, also one that has come since the last time. */
  async #something(millis: number): Promise<void> {
    if (this.#heard) {
      this.#heard = false
      return
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, millis))
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
    this.#heard = false
  }

  /** Its row goes, so that it has to join again before anything that it reads allows it to serve. */
  async #prune(missing: readonly Member[]): Promise<void> {
    for (const member of missing.filter((one) => this.#pulses.isSilent(one))) {
      if (!(await leave(this.#connection.run, this.#m.name, member.member, member.beat))) continue
      this.#m.events.publish('warning', {
        name: this.#m.name,
        code: 'MEMBER_SILENT',
        message: `${describeMember(member)} has not been heard of for ${SILENT_MILLIS} ms and is left out`,
      })
    }
  }

  #refuseStrangers(): void {
    const strangers = this.#members.filter(({ protocol }) => protocol !== FLEET_PROTOCOL)
    if (strangers.length === 0) return
    throw this.#refusal(
      strangers,
      ({ protocol }) =>
        `it speaks version ${protocol} of the fleet's protocol and this process ${FLEET_PROTOCOL}`,
    )
  }

  /** A process that has just started speaks to this side before it is in the roster. */
  async #nobodyUnlisted(deadline: number): Promise<void> {
    const until = Math.min(deadline, performance.now() + CONFIRMED_MILLIS + MARGIN_MILLIS)
    let unlisted = await unlistedProcesses(this.#connection.run)
    while (unlisted.length > 0 && performance.now() < until) {
      await this.#something(LOOK_MILLIS)
      unlisted = await unlistedProcesses(this.#connection.run)
      if (unlisted.length > 0) continue
      await this.#look()
      await this.#answered('armed', deadline, (missing) => this.#prune(missing))
    }
  }

  #refusal(who: readonly Member[], why: (member: Member) => string): CutoverError {
    const named = who.slice(0, 5).map((member) => `${describeMember(member)}: ${why(member)}`)
    const more = who.length > named.length ? `; and ${who.length - named.length} more` : ''
    return new CutoverError(
      'ERR_MEMBERS',
      `${who.length} of ${this.#members.length} other members of the fleet did not follow: ${named.join('; ')}${more}`,
      { details: { members: who } },
    )
  }
}
