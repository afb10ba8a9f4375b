// The table of steps of a change of writer: what each one does, how long it may take, and the way out if it fails.
import { setTimeout as delay } from 'node:timers/promises'
import type { Timings } from '../control/migration.js'
import { decide as decideRow, readSide } from '../control/side-row.js'
import type { SideRow } from '../control/side-row.js'
import { CutoverError } from '../errors.js'
import type { CutoverErrorCode } from '../errors.js'
import { PHASES } from '../phase/phases.js'
import { assertHeld, letGo } from './attempt.js'
import type { Attempt } from './attempt.js'
import { catchUp } from './catch-up.js'
import { drain } from './drain.js'
import { removeLiftedTriggers } from './fence-triggers.js'
import { closeFence } from './fence.js'
import { holdLease } from './lease.js'
import { prepare } from './prepare.js'
import { turnMirror } from './reverse.js'
import { leaveNobodyBehind, sendAway } from './rogue-writers.js'
import { openSide, settle } from './settle.js'

export interface Step {
  readonly name: string
  readonly does: string
  /** The option that bounds it, or milliseconds. */
  readonly bound: keyof Timings | number
  /** Thrown where the bound is reached and the step itself has said nothing. */
  readonly late: CutoverErrorCode
  /** `back`: abort, nothing has changed. `forward`: only on. `report`: the move stands whatever becomes of this. */
  readonly wayOut: 'back' | 'forward' | 'report'
  readonly run: (a: Attempt, deadline: number) => Promise<void>
}

/** For a server that was just decided for and does not answer. */
const OPEN_MILLIS = 30_000
/** Those who were held need both servers and this process more than what is left to do. */
const HELD_FIRST_MILLIS = 25

export const STEPS = [
  {
    name: 'prepare',
    does: 'checks, fence triggers, the way back, sequences and warm pools, before anybody waits',
    bound: 'prepareTimeoutMillis',
    late: 'ERR_PREPARE',
    wayOut: 'back',
    run: prepare,
  },
  {
    name: 'hold',
    does: 'new work waits in every process',
    bound: 1_000,
    late: 'ERR_HOLD_TIMEOUT',
    wayOut: 'back',
    run: hold,
  },
  {
    name: 'drain',
    does: 'what began before the hold ends; the server agrees',
    bound: 'drainTimeoutMillis',
    late: 'ERR_DRAIN_TIMEOUT',
    wayOut: 'back',
    run: drain,
  },
  {
    name: 'fence',
    does: 'the database itself refuses writes on the side being left',
    bound: 'fenceTimeoutMillis',
    late: 'ERR_FENCE',
    wayOut: 'back',
    run: fence,
  },
  {
    name: 'catch-up',
    does: 'every row of the side being left is seen on the other one',
    bound: 'catchUpTimeoutMillis',
    late: 'ERR_CATCH_UP_TIMEOUT',
    wayOut: 'back',
    run: catchUp,
  },
  {
    name: 'stop-reads',
    does: 'no read is started on the side being left any more',
    bound: 'stopReadsTimeoutMillis',
    late: 'ERR_HOLD_TIMEOUT',
    wayOut: 'back',
    run: stopReads,
  },
  {
    name: 'decide',
    does: 'the right to write leaves its side: the point of no return',
    bound: 'decideTimeoutMillis',
    late: 'ERR_HOLD_TIMEOUT',
    wayOut: 'back',
    run: decide,
  },
  {
    name: 'open',
    does: 'the right to write arrives on the other side, and traffic with it',
    bound: OPEN_MILLIS,
    late: 'ERR_OPEN_PENDING',
    wayOut: 'forward',
    run: open,
  },
  {
    name: 'reverse',
    does: 'after the pause: the mirror is turned round, and whoever is left on the old writer is named',
    bound: 'reverseTimeoutMillis',
    late: 'ERR_REVERSE',
    wayOut: 'report',
    run: reverse,
  },
] as const satisfies readonly Step[]

// `prepare` ends with warm pools, so that nothing lies between them and the hold.
async function hold(a: Attempt, deadline: number): Promise<void> {
  const { gate, timings } = a.m
  if (a.over) throw new CutoverError('ERR_HOLD_TIMEOUT', 'the attempt was given up before the hold')
  const began = performance.now()
  a.hold = { began, ends: began + timings.holdTimeoutMillis }
  gate.hold(holdLease(a))
  // All or none: a part of the fleet that waits for the rest would wait for nothing.
  await a.barrier?.hold(deadline)
}

async function fence(a: Attempt): Promise<void> {
  await closeFence(a)
  a.barrier?.fenced()
}

async function stopReads(a: Attempt, deadline: number): Promise<void> {
  const hold = assertHeld(a, 'stop-reads')
  const [silent] = await Promise.all([
    a.barrier?.stopReads(deadline, a.fencedAt ?? performance.now()),
    a.m.gate.stopReads(Math.max(1, deadline - performance.now())),
  ])
  if (!silent || silent.length === 0) return
  // One that stands still may wake with a client in its hand, and read there what is old by then.
  const backends = silent.flatMap((member) => (member.side === a.from ? member.backends : []))
  await sendAway(a.left, backends, hold.serverEnds ?? 0)
}

async function decide(a: Attempt): Promise<void> {
  assertHeld(a, 'decide')
  if (!(await decideRow(a.left, a.m.name, a.epoch, a.position))) {
    throw new CutoverError(
      'ERR_ABORTED',
      `epoch ${a.epoch} was aborted by another process or by the end of the hold; traffic stays on the ${a.from} database`,
    )
  }
  a.moved = {
    side: a.from,
    epoch: a.epoch,
    status: 'moved',
    opened: a.epoch - 1,
    reverseLsn: a.position,
    phase: undefined,
    target: a.target,
  }
}

async function open(a: Attempt, deadline: number): Promise<void> {
  const { name } = a.m
  let row: SideRow | undefined
  while (row?.status !== 'writer') {
    try {
      // Whoever has changed the row knows what it says.
      if (a.moved && (await openSide(a.opening, name, a.moved))) break
      row = await readSide(a.opening, name)
      // Somebody is already on the way back.
      if (row?.status !== 'writer')
        row = await settle({ name, from: a.to, connections: a.rescue, deadline, patienceMillis: OPEN_MILLIS })
    } catch (cause) {
      if (performance.now() < deadline) {
        await delay(20)
        continue
      }
      throw new CutoverError(
        'ERR_OPEN_PENDING',
        `the ${a.from} database has given up the right to write, but the ${a.to} one could not be opened: ${cause instanceof Error ? cause.message : 'unknown'}`,
        { cause },
      )
    }
  }
  letGo(a, row?.side ?? a.to)
}

async function reverse(a: Attempt, deadline: number): Promise<void> {
  await delay(HELD_FIRST_MILLIS)
  const failed: unknown[] = []
  // Each of these is worth doing where another one cannot be done, since the side that was left may be dead.
  for (const act of [turn, leaveNobodyBehind, () => removeLiftedTriggers(a.m, a.to)]) {
    try {
      await act(a, deadline)
    } catch (error) {
      failed.push(error)
    }
  }
  if (failed.length > 0) throw failed[0]
}

async function turn(a: Attempt, deadline: number): Promise<void> {
  if (a.m.mirror === 'none') {
    a.m.events.publish('warning', {
      name: a.m.name,
      code: 'NO_MIRROR',
      message: `no mirror proves that the ${a.to} database has the rows of the ${a.from} one, and none leads back`,
    })
    return
  }
  if (!a.moved) return
  await turnMirror({
    m: a.m,
    moved: a.moved,
    connections: a.rescue,
    deadline,
    back: PHASES[a.target].mirroredTo !== undefined,
    onProgress: (detail) => a.progress('reverse', detail),
  })
}
