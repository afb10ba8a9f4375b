// This process's part in a mirror by dual-write: one member of the relay, for as long as the phase has a mirror.
import type { Migration } from '../control/migration.js'
import { AppliedWaits } from '../dual-write/applied-waits.js'
import { recordLook, type RecordLook } from '../dual-write/record-look.js'
import { RecordMeter, type RecordStatus } from '../dual-write/record-meter.js'
import { RelayMember } from '../dual-write/relay-member.js'
import type { MirrorStatus } from '../mirror/lag.js'
import { PHASES, writerOf, type Phase, type Side } from '../phase/phases.js'
import type { MirrorMeter } from './mirror-watch.js'

interface Direction {
  readonly from: Side
  readonly member: RelayMember
  readonly waits: AppliedWaits
  end(): Promise<void>
}

export class DualWriting implements MirrorMeter {
  readonly #m: Migration
  readonly #meter = new RecordMeter()
  #current: Direction | undefined
  readonly #ending = new Set<Promise<void>>()

  constructor(m: Migration) {
    this.#m = m
  }

  /** The phase has a mirror, as far as this process knows. */
  get active(): boolean {
    return this.#current !== undefined
  }

  /** This process is the one that writes to the other side. */
  get leading(): boolean {
    return this.#current?.member.leading ?? false
  }

  latest(from: Side): MirrorStatus | undefined {
    const found = this.#meter.latest(from)
    return found && statusOf(found, this.leading)
  }

  measure(m: Migration, from: Side): Promise<void> {
    return this.#meter.measure(m, from)
  }

  /** From this turn on the direction is that of `phase`. */
  rest(phase: Phase | undefined): void {
    const from = phase === undefined || PHASES[phase].mirroredTo === undefined ? undefined : writerOf(phase)
    if (from === this.#current?.from) return
    const ending = this.#current?.end().finally(() => this.#ending.delete(ending as Promise<void>))
    if (ending) this.#ending.add(ending)
    this.#current = from && this.#begin(from)
  }

  /** Something was written in this process, or may have been. */
  wake(): void {
    this.#current?.member.wake()
  }

  /**
   * Resolves when everything that was committed on the writer before the call is on the other side; at once where the phase
   * has no mirror. Rejects with the reason of `signal` alone.
   */
  async passed(signal: AbortSignal): Promise<void> {
    await this.#current?.waits.passed(signal)
  }

  /** Ends within the bounds of its statements; never rejects. */
  async close(): Promise<void> {
    this.rest(undefined)
    await Promise.all(this.#ending)
  }

  #begin(from: Side): Direction {
    const m = this.#m
    const member = new RelayMember(m, from)
    // Of its own, opened by the first look: statements of a change of writer must not wait behind it.
    const looking = m.control[from].fork()
    let last: RecordLook | undefined
    const waits = new AppliedWaits(member, async () => {
      // A backfill that is under way has no say: what is written meanwhile is on record by itself.
      last = await recordLook(looking.run, m, last)
      return last
    })
    member.start()
    return {
      from,
      member,
      waits,
      async end() {
        waits.close()
        await Promise.all([member.close(), looking.close()])
      },
    }
  }
}

function statusOf(found: RecordStatus, leading: boolean): MirrorStatus {
  const {
    from,
    to,
    healthy,
    ageMillis,
    measuredAt,
    rowsPerSecond,
    leader,
    trouble,
    stuck,
    stuckRows,
    backfill,
  } = found
  return {
    kind: 'dual-write',
    from,
    to,
    healthy,
    lagBytes: undefined,
    lagMillis: ageMillis,
    ageMillis,
    retainedBytes: found.bytes,
    measuredAt,
    records: found.rows,
    rowsPerSecond,
    leader,
    leading,
    trouble,
    stuck,
    stuckRows,
    ...(backfill && {
      backfilledRows: backfill.done,
      backfillRows: backfill.total,
      backfillMillisLeft: backfill.millisLeft,
    }),
  }
}
