// How far the mirror is behind, in bytes and in time, asked of the side that writes.
import type { Migration } from '../control/migration.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'
import { streamOf } from './stream.js'

/** What the writer's server said of the mirror when it was asked last; it is asked every few seconds. */
export interface MirrorStatus {
  /** What copies, as in the option `mirror`. From `records` on, the figures are those of dual-write alone. */
  readonly kind: 'replication' | 'dual-write'
  /** The side that writes. */
  readonly from: Side
  readonly to: Side
  /**
   * The other side is connected to the mirror's slot, and everything that it still needs is kept for it; with dual-write,
   * some process writes the record to the other side and nothing is in its way. False as well where the last look has
   * failed; the figures are then those of the look before.
   */
  readonly healthy: boolean
  /** Written and not yet confirmed by the other side, in bytes of the server's WAL. Undefined without a slot, and with dual-write. */
  readonly lagBytes: number | undefined
  /**
   * How far the other side is behind in time, in milliseconds: what the server measured of the change that was confirmed
   * last, or {@link ageMillis} where that is more. Undefined without a slot.
   */
  readonly lagMillis: number | undefined
  /** How long the oldest change has waited that is not confirmed, to within one look. 0 when all was confirmed by then. */
  readonly ageMillis: number
  /** What the mirror keeps on the writer's disk, in bytes: WAL for its slot, or the record. Undefined without a slot. */
  readonly retainedBytes: number | undefined
  /** When the server was asked, as an ISO time. */
  readonly measuredAt: string
  /** Changes on record that the other side does not have yet; above 100,000 an estimate. */
  readonly records?: number
  /** How many of them a second are written to the other side, whoever does it. Undefined until there are two looks. */
  readonly rowsPerSecond?: number | undefined
  /** Who does it, as it names itself, and whether that is this process. */
  readonly leader?: string | undefined
  readonly leading?: boolean
  /** What keeps it from it, in its own words. */
  readonly trouble?: string | undefined
  /** Rows, and whole tables, that the other side refuses and nobody has set aside. No cutover begins with any of them. */
  readonly stuck?: number
  /** The first of these, and of those that were set aside. A key may hold users' values. */
  readonly stuckRows?: readonly StuckRow[]
  /** Rows of the tables that are being copied since the mirror began, on record so far and in all. */
  readonly backfilledRows?: number
  readonly backfillRows?: number
  /** How long the copy will still take at its present rate, as far as that is known. */
  readonly backfillMillisLeft?: number | undefined
}

/** What the other side of a mirror by dual-write refuses. */
export interface StuckRow {
  /** By its name on the side that writes. */
  readonly table: string
  /** The row's key, of several columns as an array; undefined where no row of the table can be written. */
  readonly key: string | undefined
  readonly sqlstate: string
  readonly message: string
  /** As ISO time. */
  readonly since: string
  /** An operator has decided to go on without it. */
  readonly setAside: boolean
}

/** A position of the writer and when it was read. */
interface Look {
  readonly at: number
  readonly position: number
}

// A mirror may stand still for days; half of the looks then tell the age nearly as well.
const MAX_LOOKS = 1_000

/** Remembers what was measured, and the positions by which it tells how long a change has waited. */
export class LagMeter {
  #latest: MirrorStatus | undefined
  #looks: Look[] = []

  /** What was measured last; undefined if that was of another direction. */
  latest(from: Side): MirrorStatus | undefined {
    return this.#latest?.from === from ? this.#latest : undefined
  }

  /** Never rejects: a server that does not answer leaves the last figures, which then are not healthy. */
  async measure(m: Pick<Migration, 'name' | 'control' | 'reachedBy'>, from: Side): Promise<void> {
    const before = this.latest(from)
    if (before === undefined) this.#looks = []
    try {
      this.#latest = this.#read(from, await slotFigures(m, from), performance.now())
    } catch {
      if (before !== undefined) this.#latest = { ...before, healthy: false }
    }
  }

  #read(from: Side, figures: SlotFigures, at: number): MirrorStatus {
    const { position, confirmed, retained, healthy, serverLagMillis } = figures
    this.#remember({ at, position }, confirmed)
    const ageMillis = at - (this.#looks[0]?.at ?? at)
    return {
      kind: 'replication',
      from,
      to: otherSide(from),
      healthy,
      lagBytes: confirmed === undefined ? undefined : Math.max(0, position - confirmed),
      lagMillis: confirmed === undefined ? undefined : Math.max(serverLagMillis ?? 0, ageMillis),
      ageMillis,
      retainedBytes: retained,
      measuredAt: new Date().toISOString(),
    }
  }

  /** Keeps the looks at positions that are not confirmed: the first of them is the age. */
  #remember(look: Look, confirmed: number | undefined): void {
    this.#looks.push(look)
    this.#looks = this.#looks.filter(({ position }) => confirmed !== undefined && position > confirmed)
    if (this.#looks.length > MAX_LOOKS) this.#looks = this.#looks.filter((_, nr) => nr % 2 === 0)
  }
}

interface SlotFigures {
  readonly position: number
  readonly confirmed: number | undefined
  readonly retained: number | undefined
  readonly healthy: boolean
  readonly serverLagMillis: number | undefined
}

async function slotFigures(
  m: Pick<Migration, 'name' | 'control' | 'reachedBy'>,
  from: Side,
): Promise<SlotFigures> {
  const { publisher, name } = streamOf(m, from)
  // `replay_lag` is null once nothing has been under way for a while, and `state` where the role may not see the rest.
  const [row] = await publisher.run<{
    position: string
    confirmed: string | null
    retained: string | null
    healthy: boolean | null
    lag: number | null
  }>(
    `select (now.lsn - '0/0')::text as position, (s.confirmed_flush_lsn - '0/0')::text as confirmed,
        (now.lsn - s.restart_lsn)::text as retained, s.active and s.wal_status in ('reserved', 'extended') as healthy,
        case when r.state is not null then coalesce(extract(epoch from r.replay_lag) * 1000, 0) end::float8 as lag
       from (select pg_current_wal_lsn() as lsn) now
       left join pg_replication_slots s on s.slot_name = $1 and s.database = current_database()
       left join pg_stat_replication r on r.pid = s.active_pid`,
    [name],
  )
  if (!row) throw new Error(`the ${from} server gave no position`)
  const bytes = (value: string | null): number | undefined => (value === null ? undefined : Number(value))
  return {
    position: Number(row.position),
    confirmed: bytes(row.confirmed),
    retained: bytes(row.retained),
    healthy: row.healthy ?? false,
    serverLagMillis: row.lag ?? undefined,
  }
}
