// Instants and durations in one form, whatever time zone the server has written them in.

const INSTANT = /^(\d+)-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(\.\d+)?([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?( BC)?$/

/** Of timestamptz: seconds since 1970 and what is left of a second. */
export function canonicalInstant(raw: string): string {
  const parts = INSTANT.exec(raw)
  // `infinity` and `-infinity`.
  if (!parts) return raw
  const year = parts[12] === undefined ? Number(parts[1]) : 1 - Number(parts[1])
  const clock = seconds(parts[4], parts[5], parts[6])
  const offset = seconds(parts[9], parts[10], parts[11])
  const day = daysSince1970(year, Number(parts[2]), Number(parts[3]))
  const at = day * 86_400 + clock - (parts[8] === '-' ? -offset : offset)
  return `${at}${parts[7] ?? ''}`
}

function seconds(hours = '0', minutes = '0', rest = '0'): number {
  return Number(hours) * 3_600 + Number(minutes) * 60 + Number(rest)
}

/** By the Gregorian calendar for all years, as Postgres counts; `Date` ends at 275760. */
function daysSince1970(year: number, month: number, day: number): number {
  // Years that begin in March have their leap day at the end.
  const shifted = month > 2 ? year : year - 1
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

const INTERVAL =
  /^(?:([+-]?\d+) years? ?)?(?:([+-]?\d+) mons? ?)?(?:([+-]?\d+) days? ?)?(?:([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?)?$/

/** Of interval: microseconds, with months of 30 days and days of 24 hours, since `=` takes them so. */
export function canonicalInterval(raw: string): string {
  const parts = INTERVAL.exec(raw)
  if (!parts) return raw
  const [, years = '0', months = '0', days = '0', sign, hours, minutes, rest, fraction = ''] = parts
  const clock = seconds(hours, minutes, rest)
  const micros = Number(fraction.padEnd(6, '0'))
  const wholeDays = (Number(years) * 12 + Number(months)) * 30 + Number(days)
  const whole = BigInt(wholeDays * 86_400 + (sign === '-' ? -clock : clock))
  return String(whole * 1_000_000n + BigInt(sign === '-' ? -micros : micros))
}
