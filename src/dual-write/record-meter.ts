// What is on record and how far its relay has come, asked of the side that writes in one query.
import type { Migration } from '../control/migration.js'
import { quoteIdent, quoteLiteral, recordTable } from '../control/names.js'
import type { StuckRow } from '../mirror/lag.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'
import { readBackfill } from './backfill.js'
import type { Backfill } from './backfill.js'
import { RecordAlarm } from './record-alarm.js'
import { lookOf, lookSql } from './record-look.js'
import type { LookColumns, RecordLook } from './record-look.js'

export interface RecordStatus {
  /** The side that writes. */
  readonly from: Side
  readonly to: Side
  /**
   * A relay is at work, says nothing of trouble, and nothing is stuck. False as well where the last look has failed; the
   * figures are then those of the look before.
   */
  readonly healthy: boolean
  /** Rows on record; an estimate above 100,000. */
  readonly rows: number
  /** What the record takes on the writer's disk. It shrinks some time after its rows are gone. */
  readonly bytes: number
  /** How long the oldest row has been on record, in milliseconds, to within one look. */
  readonly ageMillis: number
  /** Rows that were written to the other side, a second, since the look before. */
  readonly rowsPerSecond: number | undefined
  /** Who writes the record to the other side, as it names itself. */
  readonly leader: string | undefined
  /** Milliseconds since the leader was heard of. */
  readonly silentMillis: number | undefined
  /** What the leader says keeps it. */
  readonly trouble: string | undefined
  /** How many are stuck and not set aside. */
  readonly stuck: number
  /** The first of all that are stuck or set aside. */
  readonly stuckRows: readonly StuckRow[]
  /** Undefined where nothing was backfilled. */
  readonly backfill: Backfill | undefined
  /** When the server was asked, as an ISO time. */
  readonly measuredAt: string
}

type Measured = Pick<Migration, 'name' | 'control' | 'events' | 'dualWrite'>

/** A time and the transaction id that none had reached by then. */
interface Past {
  readonly at: number
  readonly boundary: bigint
}

/** The record may stand for days; half of the looks then tell the age nearly as well. */
const MAX_PASTS = 1_000
const EXACT_ROWS = 100_000
const SHOWN_STUCK = 5
/** A leader tells of itself once a second. */
const SILENT_MILLIS = 15_000

/** Remembers what was measured, and by the looks before how long the oldest row has waited. */
export class RecordMeter {
  #latest: RecordStatus | undefined
  #look: RecordLook | undefined
  #figures: Figures | undefined
  #pasts: Past[] = []
  readonly #alarm = new RecordAlarm()

  /** What was measured last; undefined if that was of another direction. */
  latest(from: Side): RecordStatus | undefined {
    return this.#latest?.from === from ? this.#latest : undefined
  }

  /** Never rejects. Publishes a `warning` when the record passes a limit of `dualWrite`, and another one when it is over. */
  async measure(m: Measured, from: Side): Promise<void> {
    if (this.latest(from) === undefined) this.#forget()
    const before = this.#latest
    try {
      const backfill = await readBackfill(m.control[from].run, m.name, before?.backfill)
      this.#latest = this.#read(from, await this.#ask(m, from), backfill)
    } catch {
      this.#look = undefined
      if (before !== undefined) this.#latest = { ...before, healthy: false }
      return
    }
    this.#alarm.look(m, this.#latest)
  }

  #forget(): void {
    this.#latest = this.#look = this.#figures = undefined
    this.#pasts = []
  }

  async #ask(m: Measured, from: Side): Promise<{ figures: Figures; look: RecordLook }> {
    const [figures] = await m.control[from].run<Figures & Record<string, unknown>>(
      figuresSql(m.name, this.#look?.low ?? 0n),
    )
    const look = figures && lookOf(figures, this.#look)
    if (figures && look) return { figures, look }
    if (this.#look === undefined) throw new Error(`the ${from} server gave no figures`)
    // Another server may answer by now, whose transactions have other ids.
    this.#look = undefined
    this.#pasts = []
    return this.#ask(m, from)
  }

  #read(
    from: Side,
    { figures, look }: { figures: Figures; look: RecordLook },
    backfill: Backfill,
  ): RecordStatus {
    const at = performance.now()
    const { rows, stuck, relay } = figures
    const rowsPerSecond = rateOf(this.#figures, figures)
    this.#look = look
    this.#figures = figures
    this.#remember({ at, boundary: look.boundary }, look.oldest)
    const silent = relay?.silent
    return {
      from,
      to: otherSide(from),
      healthy:
        stuck === 0 && silent !== undefined && silent < SILENT_MILLIS && (relay?.trouble ?? null) === null,
      rows,
      bytes: figures.bytes,
      ageMillis: at - (this.#pasts[0]?.at ?? at),
      rowsPerSecond,
      leader: relay?.leader,
      silentMillis: silent,
      trouble: relay?.trouble ?? undefined,
      stuck,
      stuckRows: figures.stuckRows.map(({ key, ...row }) => ({ ...row, key: key ?? undefined })),
      backfill: backfill.tables.length > 0 ? backfill : undefined,
      measuredAt: new Date().toISOString(),
    }
  }

  /** Keeps the looks by which the oldest row was there: the first of them is its age. */
  #remember(past: Past, oldest: bigint | undefined): void {
    this.#pasts.push(past)
    this.#pasts = this.#pasts.filter(({ boundary }) => oldest !== undefined && boundary > oldest)
    if (this.#pasts.length > MAX_PASTS) this.#pasts = this.#pasts.filter((_, nr) => nr % 2 === 0)
  }
}

interface Figures extends LookColumns {
  readonly rows: number
  readonly bytes: number
  readonly stuck: number
  readonly stuckRows: readonly (Omit<StuckRow, 'key'> & { readonly key: string | null })[]
  readonly relay: {
    readonly leader: string
    readonly generation: number
    readonly applied: number
    readonly trouble: string | null
    /** When the leader has told of itself, in milliseconds of the server's clock, and how long ago. */
    readonly told: number
    readonly silent: number
  } | null
}

function rateOf(before: Figures | undefined, now: Figures): number | undefined {
  const [then, next] = [before?.relay, now.relay]
  if (!then || !next || then.generation !== next.generation || next.told <= then.told) return undefined
  return (Math.max(0, next.applied - then.applied) / (next.told - then.told)) * 1_000
}

function figuresSql(name: string, low: bigint): string {
  const record = `cutover.${quoteIdent(recordTable(name))}`
  const migration = quoteLiteral(name)
  return `
  select ${lookSql(name, low)},
    case when z.counted <= ${EXACT_ROWS} then z.counted
         else greatest(z.counted, pg_stat_get_live_tuples('${record}'::regclass)) end::float8 as rows,
    pg_total_relation_size('${record}')::float8 as bytes,
    (select count(*)::int from cutover.stuck where name = ${migration} and set_aside is null) as stuck,
    (select coalesce(jsonb_agg(jsonb_build_object('table', s.table_name, 'key', s.key, 'sqlstate', s.sqlstate,
        'message', s.message, 'since', s.since, 'setAside', s.set_aside is not null)), '[]')
       from (select * from cutover.stuck where name = ${migration}
              order by set_aside is not null, since limit ${SHOWN_STUCK}) s) as "stuckRows",
    (select jsonb_build_object('leader', leader, 'generation', generation, 'applied', applied, 'trouble', trouble,
        'told', extract(epoch from updated) * 1000,
        'silent', greatest(0, extract(epoch from clock_timestamp() - updated) * 1000))
       from cutover.relay where name = ${migration}) as relay
    from (select count(*) as counted from (
      select from ${record} r where r.xid >= '${low}'::xid8 order by r.xid limit ${EXACT_ROWS + 1}) y) z`
}
