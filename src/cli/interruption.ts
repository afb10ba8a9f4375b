// Ctrl-C during a move: before the point of no return it is given up cleanly, after it it goes on.
import type { Migration } from '../control/migration.js'
import { abort } from '../control/side-row.js'
import { CutoverError } from '../errors.js'
import type { StepEvent } from '../events.js'
import type { Side } from '../phase/phases.js'
import type { Output } from './screen.js'

export interface Interruptible {
  /** The migration whose gate refuses to go on once it was interrupted. */
  readonly m: Migration
  /** The move was told to end, and had not passed the point of no return then. */
  readonly interrupted: boolean
  /** Resolves at the second Ctrl-C: whoever asks so is not kept waiting. */
  readonly again: Promise<'again'>
  /** A hold has begun, so that work of the service may be waiting. */
  readonly paused: boolean
  end(): void
}

const FORWARD_ONLY: ReadonlySet<string> = new Set(['decide', 'open', 'reverse'])

export const RUN_AGAIN =
  'Look at `pg-cutover status`; `pg-cutover recover` ends whatever was left, and is safe at any time.'

export function interruptible(
  m: Migration,
  from: Side,
  { onInterrupt }: Pick<Output, 'onInterrupt'>,
  say: (line: string) => void,
): Interruptible {
  let step: Pick<StepEvent, 'step' | 'epoch'> | undefined
  let interrupted = false
  let asked = 0
  let tellAgain: (said: 'again') => void = () => {}
  const again = new Promise<'again'>((resolve) => (tellAgain = resolve))
  const onStep = (event: StepEvent): void => {
    if (event.state === 'started') step = event
  }
  m.events.on('step', onStep)

  const isPaused = (): boolean => step !== undefined && step.step !== 'prepare'

  const stop = onInterrupt(() => {
    asked++
    if (asked > 1) return tellAgain('again')
    if (step !== undefined && FORWARD_ONLY.has(step.step))
      return say(
        'The right to write has moved already: what is left to do is done. Interrupt again to leave it.',
      )
    interrupted = true
    say('Interrupted: it is given up, nothing changes. Interrupt again to leave it at once.')
    // Outside the pause: whatever it waits for is cut short, and all that it has made can be taken up again.
    if (!isPaused()) return void closeBoth(m)
    // Ends the hold of everybody at once; where `decide` was faster it changes nothing.
    abort(m.control[from], m.name, step?.epoch ?? 0).catch((error: unknown) =>
      say(error instanceof Error ? error.message : String(error)),
    )
  })

  const refuse = (): void => {
    if (interrupted) throw new CutoverError('ERR_ABORTED', 'interrupted')
  }
  const { gate } = m
  return {
    m: {
      ...m,
      gate: {
        get side() {
          return gate.side
        },
        arm: async (warmUp, deadline) => {
          refuse()
          await gate.arm(warmUp, deadline)
        },
        hold: (lease) => {
          refuse()
          gate.hold(lease)
        },
        drain: async (deadlineMillis) => {
          refuse()
          await gate.drain(deadlineMillis)
        },
        stopReads: async (deadlineMillis) => {
          refuse()
          await gate.stopReads(deadlineMillis)
        },
        disarm: () => gate.disarm(),
        release: (side) => gate.release(side),
        sweep: (side) => gate.sweep(side),
        backends: (side) => gate.backends(side),
      },
    },
    get interrupted() {
      return interrupted
    },
    again,
    get paused() {
      return isPaused()
    },
    end() {
      m.events.off('step', onStep)
      stop()
    },
  }
}

const closeBoth = (m: Migration): Promise<unknown> =>
  Promise.all([m.control.old.close(), m.control.new.close()])
