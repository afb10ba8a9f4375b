// Finds out why two answers differed, by asking again until the writer and the time of the mirror are ruled out.
import type { Answer } from './answer.js'
import { skipped, type Reply } from './reply.js'
import type { Outcome } from './report.js'

/** How two answers differ, as far as the verdict needs it. */
export type Kind = 'equal' | 'order' | 'columns' | 'other'

export interface Settling {
  askWriter(): Promise<Reply>
  askOther(): Promise<Reply>
  /** Whether the mirror has brought everything that could be seen on the writer until now; waits for it, within limits. */
  passed(round: number): Promise<boolean>
  /** Between two rounds. */
  pause(round: number): Promise<void>
  compare(one: Answer, other: Answer): Promise<Kind>
  /** Whether two answers may have other rows each because the statement leaves the choice to the server. */
  free(one: Answer, other: Answer): boolean
}

/** The replies of the last round; both are skipped where none came to its end. */
export interface Settled {
  readonly outcome: Outcome
  readonly writer: Reply
  readonly other: Reply
}

const ROUNDS = 5

/**
 * A row that goes there and back between two values may show the one to the writer twice and the other to its mirror in
 * between. Three rounds that agree, each with the mirror's whole way in it, are no such accident.
 */
const ROUNDS_THAT_AGREE = 3

/**
 * Each round asks the writer (W1), waits until the mirror has passed that moment, asks the other side (M), and the
 * writer again (W2). Gives a reply that was skipped where one was.
 *
 * Why that is enough. M was read after the mirror had brought all that W1 had seen, and before W2. If nothing that the
 * statement reads was changed on the writer from W1 to W2, then M has to be equal to both, whatever else is written. So an
 * M that is equal to one of them was late or early before, which is lag; and one that differs from both is wrong if W1 is
 * equal to W2. Where W1 differs from W2 the rows are being written, and nothing follows: the next round may meet a quieter
 * moment. A mirror that does not pass in time proves nothing either.
 */
export async function settleDifference(settling: Settling): Promise<Settled | (Reply & { kind: 'skipped' })> {
  let agreed = 0
  let before: Settled | undefined
  for (let round = 0; round < ROUNDS; round++) {
    if (round > 0) await settling.pause(round)
    const first = await settling.askWriter()
    if (first.kind === 'skipped') return first
    if (!(await settling.passed(round))) break
    const other = await settling.askOther()
    if (other.kind === 'skipped') return other
    const writer = await settling.askWriter()
    if (writer.kind === 'skipped') return writer

    if ((await kindOf(settling, first, other)) === 'equal')
      return { outcome: outcomeOfEqual(first), writer: first, other }
    const kind = await kindOf(settling, writer, other)
    if (kind === 'equal') return { outcome: outcomeOfEqual(writer), writer, other }
    // The same rows in another order are the server's choice here too.
    const isSettled = isSame(await kindOf(settling, first, writer))
    if (isSettled && (kind === 'order' || (kind === 'other' && isFree(settling, writer, other))))
      return { outcome: 'order', writer, other }
    const now: Settled = { outcome: 'real', writer, other }
    agreed = !isSettled ? 0 : (await agreesWith(settling, before, now)) ? agreed + 1 : 1
    if (agreed >= ROUNDS_THAT_AGREE) return now
    before = now
  }
  const nothing = skipped('timeout')
  return { ...(before ?? { writer: nothing, other: nothing }), outcome: 'unsettled' }
}

/** A statement that both sides refuse alike is refused by both. */
const outcomeOfEqual = (reply: Reply): Outcome => (reply.kind === 'answer' ? 'lag' : 'equal')

/** The columns of a statement, and whether it can be run at all, are nobody's choice. */
const isFree = (settling: Settling, one: Reply, other: Reply): boolean =>
  one.kind === 'answer' && other.kind === 'answer' && settling.free(one.answer, other.answer)

const isSame = (kind: Kind): boolean => kind === 'equal' || kind === 'order'

async function agreesWith(settling: Settling, before: Settled | undefined, now: Settled): Promise<boolean> {
  return (
    before !== undefined &&
    isSame(await kindOf(settling, before.writer, now.writer)) &&
    isSame(await kindOf(settling, before.other, now.other))
  )
}

export async function kindOf(
  { compare }: Pick<Settling, 'compare'>,
  one: Reply,
  other: Reply,
): Promise<Kind> {
  if (one.kind === 'answer' && other.kind === 'answer') return compare(one.answer, other.answer)
  return one.kind === 'failed' && other.kind === 'failed' && one.code === other.code ? 'equal' : 'other'
}
