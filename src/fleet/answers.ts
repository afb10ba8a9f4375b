// What the members have said of one attempt: heard by notifications as it comes, and read in the roster in case one was lost.
import type { Answer, Member } from './words.js'

/** An answer includes those before it. */
const RANK: Readonly<Record<Answer, number>> = { failed: 0, armed: 1, held: 2, drained: 3, stopped: 4 }

export class Answers {
  readonly #attempt: string
  readonly #heard = new Map<string, Answer>()

  constructor(attempt: string) {
    this.#attempt = attempt
  }

  /** Gives the answer in a notification; undefined where it is not of this attempt. */
  hear(payload: string): Answer | undefined {
    const [said, member, attempt] = payload.split(' ')
    if (said === undefined || !Object.hasOwn(RANK, said) || member === undefined || attempt !== this.#attempt)
      return undefined
    const answer = said as Answer
    this.#heard.set(member, answer)
    return answer
  }

  /** The furthest that a member has come, as it was heard or read: either may be the later one. */
  of({ member, said, attempt }: Member): Answer | undefined {
    const heard = this.#heard.get(member)
    const read = attempt === this.#attempt ? said : undefined
    if (heard === undefined || heard === 'failed') return heard ?? read
    return read === undefined || RANK[heard] > RANK[read] ? heard : read
  }

  missing(members: readonly Member[], wanted: Answer): Member[] {
    return members.filter((member) => RANK[this.of(member) ?? 'failed'] < RANK[wanted])
  }
}
