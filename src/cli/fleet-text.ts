// The fleet and the last attempt as text.
import type { Member } from '../fleet/words.js'
import { otherSide, type Side } from '../phase/phases.js'
import type { AttemptStep, LastAttempt } from './look-at-fleet.js'
import { printable, table, type Paint } from './screen.js'

/** Empty where nobody is in the roster. */
export function memberLines(members: readonly Member[], writer: Side, paint: Paint): string[] {
  if (members.length === 0) return []
  const rows = members.map((one) => [
    printable(one.service) || '(no name)',
    `${printable(one.host)}:${one.pid}`,
    one.version,
    one.phase,
    String(one.epoch),
    String(one.inFlight),
    one.oldestMillis === undefined ? '' : `${Math.round(one.oldestMillis)} ms`,
    timeOf(one.heard),
    one.said ?? '',
  ])
  const [heading = '', ...lines] = table([HEADING, ...rows])
  return ['', `The fleet, as the ${writer} database has it:`, paint.faint(heading), ...lines]
}

const HEADING = ['member', 'process', 'version', 'phase', 'epoch', 'in flight', 'oldest', 'heard', 'said']

/** Of a timestamp of the server, which is in UTC. */
const timeOf = (heard: string): string => /\d\d:\d\d:\d\d/.exec(heard)?.[0] ?? heard

/** One line: how it ended, and what each step of it took. */
export function attemptText({ from, epoch, at, steps }: LastAttempt, paint: Paint): string {
  const failed = steps.find(({ state }) => state === 'failed')
  const last = steps.at(-1)
  const ending =
    failed !== undefined
      ? paint.bad(`failed at "${failed.step}": ${printable(failed.detail ?? 'no reason given')}`)
      : last?.step === 'reverse' && last.state === 'done'
        ? 'done'
        : paint.warn(`"${last?.step}" was the last step that was heard of`)
  const took = steps.map(stepText).join(', ')
  return `${from} to ${otherSide(from)}, epoch ${epoch}, at ${timeOf(at)} UTC: ${ending} (${took})`
}

const stepText = ({ step, millis }: AttemptStep): string =>
  millis === null ? step : `${step} ${millis < 10 ? millis.toFixed(1) : millis.toFixed(0)} ms`
