// Reads the row of the side in use again and again, where nobody is asked before the writer changes.
import { readSide } from '../control/side-row.js'
import type { MemberHome } from '../fleet/member-home.js'
import type { HoldLease } from '../pool/gate.js'

const POLL_MILLIS = 1_000

export class RowPoll {
  readonly #home: MemberHome
  readonly #lease: () => HoldLease
  #polling: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  /** `lease`: of the hold in which this process goes where the right to write is. */
  constructor(home: MemberHome, lease: () => HoldLease) {
    this.#home = home
    this.#lease = lease
  }

  start(): void {
    this.#timer = setInterval(() => this.#poll(), POLL_MILLIS).unref()
  }

  stop(): void {
    this.#closed = true
    clearInterval(this.#timer)
  }

  async close(): Promise<void> {
    this.stop()
    await this.#polling
  }

  #poll(): void {
    if (this.#home.moving || this.#polling || this.#closed) return
    // What cannot be read now is read at the next turn; the databases refuse what this process must not do meanwhile.
    this.#polling = this.#look()
      .catch(() => {})
      .finally(() => {
        this.#polling = undefined
      })
  }

  async #look(): Promise<void> {
    const { m, core } = this.#home
    const row = await readSide(m.control[core.side], m.name)
    if (this.#home.moving || this.#closed || row === undefined) return
    if (row.status === 'writer') {
      if (row.phase !== undefined && row.phase !== this.#home.phase) this.#home.rest(row)
    } else if (row.status !== 'fenced') {
      core.hold(this.#lease())
      await core.drain(m.timings.drainTimeoutMillis)
      const left = core.side
      core.release(await this.#lease().ended())
      await core.sweep(left)
    }
  }
}
