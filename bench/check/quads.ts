// Samples for a gate: what one thing costs in the costs of another, each from four slices that a drift of the machine hits alike.

/** Gives its own cost. */
type Slice = () => number | Promise<number>

/** Each call runs slices A B B A, and every other one B A A B, and gives the cost of B for each of A's. */
export function inQuads(a: Slice, b: Slice): () => Promise<number> {
  let turn = 0
  return async () => {
    const [first, second] = turn++ % 2 === 0 ? [a, b] : [b, a]
    const outer = await first()
    const inner = (await second()) + (await second())
    const both = outer + (await first())
    return first === a ? inner / both : both / inner
  }
}

/** CPU time is told in microseconds, so a slice has to take many. */
const SLICE_MICROS = 1_000
const MOST_ROUNDS = 256

/**
 * Microseconds of CPU that a round takes in this process: what others do on the machine meanwhile is not counted. As many rounds
 * a slice as it takes to tell, which is found in the slices that are thrown away.
 */
export function cpuOf(round: () => unknown): () => Promise<number> {
  let rounds = 1
  return async () => {
    const before = process.cpuUsage()
    for (let nr = 0; nr < rounds; nr++) await round()
    const { user, system } = process.cpuUsage(before)
    const cost = (user + system) / rounds
    if (user + system < SLICE_MICROS && rounds < MOST_ROUNDS) rounds *= 2
    return cost
  }
}
