// The arithmetic of sequences: which one could hand out a value again, and how far ahead it has to be set.

export interface SequenceState {
  readonly schema: string
  readonly name: string
  readonly last: bigint
  /** False: `last` itself is the next value to be handed out. */
  readonly called: boolean
  readonly increment: bigint
  readonly cache: bigint
  readonly min: bigint
  readonly max: bigint
  readonly cycle: boolean
}

const LEAST_HEADROOM = 1_000n
const HEADROOM_CACHES = 100n

/** The next value, were there no bounds. */
const nextOf = (sequence: SequenceState): bigint =>
  sequence.called ? sequence.last + sequence.increment : sequence.last

/** True if `right` could hand out a value that `left` has handed out already. Both count the way `left` does. */
export function fallsShort(left: SequenceState, right: SequenceState): boolean {
  if (left.cycle) return stepsAhead(left, right) > spanOf(left) / 2n
  return left.increment > 0n ? nextOf(right) < nextOf(left) : nextOf(right) > nextOf(left)
}

/**
 * The value to note as the last one on the other side: ahead of `left` by the headroom, for what `left` hands out until the
 * change of writer. Near the end of the range only half of what is left is skipped, since a sequence that has run
 * out would make every insert fail.
 */
export function targetOf(left: SequenceState, right: Pick<SequenceState, 'min' | 'max'>): bigint {
  const before = left.called ? left.last : left.last - left.increment
  const room = left.cycle ? spanOf(left) : roomOf(left, right)
  const steps = smaller(headroomOf(left), room / 2n)
  const target = before + steps * left.increment
  if (left.cycle) return wrapped(left, target)
  // An unused sequence without room: its first value.
  return left.increment > 0n ? larger(target, right.min) : smaller(target, right.max)
}

/** How many values can still be handed out within the other side's bounds. */
export function roomOf(left: SequenceState, right: Pick<SequenceState, 'min' | 'max'>): bigint {
  const next = nextOf(left)
  const distance = left.increment > 0n ? right.max - next : next - right.min
  return distance < 0n ? 0n : distance / absolute(left.increment) + 1n
}

export const headroomOf = (sequence: SequenceState): bigint =>
  larger(LEAST_HEADROOM, HEADROOM_CACHES * sequence.cache)

const spanOf = ({ min, max, increment }: SequenceState): bigint => (max - min) / absolute(increment) + 1n

/** By how many steps `right` is ahead of `left` on the circle. */
function stepsAhead(left: SequenceState, right: SequenceState): bigint {
  const span = spanOf(left)
  const steps = (nextOf(right) - nextOf(left)) / left.increment
  return ((steps % span) + span) % span
}

function wrapped(sequence: SequenceState, value: bigint): bigint {
  const start = sequence.increment > 0n ? sequence.min : sequence.max
  const span = spanOf(sequence)
  const steps = (value - start) / sequence.increment
  return start + (((steps % span) + span) % span) * sequence.increment
}

const absolute = (value: bigint): bigint => (value < 0n ? -value : value)
const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b)
const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b)
