// Which members have gone without a word: by their beats and the clock of whoever looks, never by a server's clock.
import { SILENT_MILLIS, type Member } from './words.js'

interface Pulse {
  readonly beat: number
  /** When this beat was seen first. */
  readonly since: number
}

export class Pulses {
  readonly #pulses = new Map<string, Pulse>()

  note(members: readonly Member[]): void {
    const now = performance.now()
    for (const { member, beat } of members) {
      if (this.#pulses.get(member)?.beat !== beat) this.#pulses.set(member, { beat, since: now })
    }
  }

  /** It has stood still for so long that what it was told last does not let it serve any more. */
  isSilent({ member }: Member): boolean {
    const pulse = this.#pulses.get(member)
    return pulse !== undefined && performance.now() - pulse.since >= SILENT_MILLIS
  }
}
