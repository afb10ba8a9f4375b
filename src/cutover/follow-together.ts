// Follows a wish that every process of a fleet has heard: one of them moves, and what becomes of it is the answer for all.
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Migration } from '../control/migration.js'
import { readSide } from '../control/side-row.js'
import { lockOwner } from '../coordinator/coordinator-lock.js'
import type { MoveOptions } from '../coordinator/move-phase.js'
import { CutoverError, isCutoverError } from '../errors.js'
import { call, readCall } from '../fleet/call-row.js'
import type { FleetMember } from '../fleet/member.js'
import type { Call } from '../fleet/words.js'
import { writerOf, type Phase } from '../phase/phases.js'

export type MoveHooks = Pick<MoveOptions, 'onLocked' | 'onFailed'>

/** This process, in which the wish was heard. */
export interface Follows {
  readonly m: Migration
  readonly phase: Phase | undefined
  readonly closed: boolean
  change(phase: Phase, hooks: MoveHooks): Promise<unknown>
}

/** Between two looks whether whoever moves is still there; the longer the move, the longer. */
const FIRST_LOOK_MILLIS = 500
const LONGEST_LOOK_MILLIS = 5_000
const REASON_LENGTH = 500

/** Somebody else has done what this process was about to do, which it only has to hear of. */
class Overtaken extends Error {}

/** Resolves when this process serves by the wish; rejects with the reason that whoever tried has given. */
export async function followTogether(home: Follows, member: FleetMember, wish: Phase): Promise<void> {
  const before = member.call
  let pause = FIRST_LOOK_MILLIS
  while (home.phase !== wish) {
    if (home.closed) throw new CutoverError('ERR_ENDED', `the migration was ended on its way to "${wish}"`)
    refuse(member.call, before, wish)
    if (!(await isUnderWay(home, member))) {
      try {
        return void (await home.change(wish, hooksOf(home, before, wish)))
      } catch (error) {
        if (!isCutoverError(error, 'ERR_BUSY') && !(error instanceof Overtaken)) throw error
      }
    }
    // Not all at the same moment, where the one that moved has died.
    const isNews = (): boolean => home.phase === wish || home.closed || answers(member.call, before, wish)
    await member.until(isNews, pause * (0.5 + Math.random()))
    pause = Math.min(1.5 * pause, LONGEST_LOOK_MILLIS)
  }
}

/** Of one that cannot be asked nothing is known; the attempt to move will tell. */
async function isUnderWay({ m, phase }: Follows, member: FleetMember): Promise<boolean> {
  if (member.following) return true
  if (phase === undefined) return false
  return (await lockOwner(m, writerOf(phase)).catch(() => undefined)) !== undefined
}

/** An attempt for the same wish has ended without a change since the wish was heard. */
const answers = (now: Call | undefined, before: Call | undefined, wish: Phase): now is Call =>
  now?.stage === 'over' &&
  now.outcome === 'aborted' &&
  now.target === wish &&
  !(before?.attempt === now.attempt && before.stage === 'over')

function refuse(now: Call | undefined, before: Call | undefined, wish: Phase): void {
  if (!answers(now, before, wish)) return
  throw new CutoverError(
    'ERR_ABORTED',
    `${now.coordinator} has tried to move to "${wish}" for the whole fleet: ${now.reason ?? 'it has given no reason'}`,
  )
}

function hooksOf(home: Follows, before: Call | undefined, wish: Phase): MoveHooks {
  const { m, phase } = home
  if (phase === undefined) return {}
  const connection = m.control[writerOf(phase)]
  let isOurs = false
  return {
    // What the one before has come to is only certain now.
    async onLocked() {
      const row = await readSide(connection, m.name)
      if (row && (row.status !== 'writer' || row.phase === wish)) throw new Overtaken('it is done already')
      refuse(await lastCall(), before, wish)
      isOurs = true
    },
    onFailed: (error) => tellAll(error),
  }

  async function tellAll(error: unknown): Promise<void> {
    if (!isOurs || !isForAll(error)) return
    // The coordinator of an attempt has said it by itself.
    if (answers(await lastCall(), before, wish)) return
    try {
      const row = await readSide(connection, m.name)
      if (row) await call(connection.run, m.name, failedCall(row.epoch + 1, wish, error))
    } catch {
      // Then each of the others tries for itself.
    }
  }

  function lastCall(): Promise<Call | undefined> {
    return readCall(connection.run, m.name).catch(() => undefined)
  }
}

const failedCall = (epoch: number, target: Phase, error: unknown): Call => ({
  attempt: randomUUID(),
  epoch,
  stage: 'over',
  coordinator: `pid ${process.pid} on ${hostname()}`,
  target,
  tables: [],
  outcome: 'aborted',
  reason: (error instanceof Error ? error.message : String(error)).slice(0, REASON_LENGTH),
})

/** Another process may still do what this one could not. */
const isForAll = (error: unknown): boolean =>
  !['ERR_ENDED', 'ERR_UNREACHABLE', 'ERR_OPEN_PENDING', 'ERR_IN_DOUBT'].some(
    (code) => error instanceof Error && 'code' in error && error.code === code,
  )
