// Tells of a record that grows beyond the limits of its age, its rows and its bytes: once when it does, once when it is over.
import type { Migration } from '../control/migration.js'
import type { Side } from '../phase/phases.js'

interface Measured {
  readonly to: Side
  readonly ageMillis: number
  readonly rows: number
  readonly bytes: number
  readonly trouble: string | undefined
  readonly stuck: number
}

/** It is over below this share of each limit, so that a record about as long as its limit is not told of again and again. */
const OVER = 0.8

export class RecordAlarm {
  #told = false

  look({ name, dualWrite, events }: Pick<Migration, 'name' | 'dualWrite' | 'events'>, now: Measured): void {
    const worst = Math.max(
      now.ageMillis / dualWrite.alarmAgeMillis,
      now.rows / dualWrite.alarmRows,
      now.bytes / dualWrite.alarmBytes,
    )
    if (this.#told ? worst > OVER : worst <= 1) return
    this.#told = !this.#told
    events.publish('warning', { name, code: 'MIRROR_BEHIND', message: messageOf(this.#told, now) })
  }
}

function messageOf(isBehind: boolean, { to, ageMillis, rows, bytes, trouble, stuck }: Measured): string {
  const figures = `${rows} rows wait for the ${to} database, the oldest for ${Math.round(ageMillis / 1_000)} s, in ${Math.ceil(bytes / 1_048_576)} MiB`
  if (!isBehind) return `the record of changes is within its limits again: ${figures}`
  const why = [
    ...(trouble === undefined ? [] : [`the relay says: ${trouble}`]),
    ...(stuck === 0 ? [] : [`${stuck} rows or tables are stuck`]),
  ]
  return `the record of changes has grown beyond its limits: ${[figures, ...why].join('; ')}`
}
