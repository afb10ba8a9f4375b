// Instants and durations in one form, whatever time zone the server has written them in.

const [PLUS, MINUS, ZERO, COLON] = [43, 45, 48, 58]

/** Of timestamptz in the ISO style: seconds since 1970 and what is left of a second. */
export function canonicalInstant(raw: string): string {
  const dash = raw.indexOf('-')
  // `infinity` and `-infinity`: a year has four digits at least.
  if (dash < 4) return raw
  const fraction = dash + 15
  let zone = fraction
  while (zone < raw.length && raw.charCodeAt(zone) !== PLUS && raw.charCodeAt(zone) !== MINUS) zone++
  const year = Number(raw.slice(0, dash))
  const day = daysSince1970(raw.endsWith(' BC') ? 1 - year : year, two(raw, dash + 1), two(raw, dash + 4))
  const clock = two(raw, dash + 7) * 3_600 + two(raw, dash + 10) * 60 + two(raw, dash + 13)
  const minutes = raw.charCodeAt(zone + 3) === COLON ? two(raw, zone + 4) : 0
  const rest = raw.charCodeAt(zone + 6) === COLON ? two(raw, zone + 7) : 0
  const offset = two(raw, zone + 1) * 3_600 + minutes * 60 + rest
  const at = day * 86_400 + clock + (raw.charCodeAt(zone) === MINUS ? offset : -offset)
  return zone === fraction ? String(at) : `${at}${raw.slice(fraction, zone)}`
}

function two(digits: string, at: number): number {
  return (digits.charCodeAt(at) - ZERO) * 10 + digits.charCodeAt(at + 1) - ZERO
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
  const [, years = '0', months = '0', days = '0', sign] = parts
  const [hours = '0', minutes = '0', rest = '0', fraction = ''] = parts.slice(5)
  const clock = Number(hours) * 3_600 + Number(minutes) * 60 + Number(rest)
  const micros = Number(fraction.padEnd(6, '0'))
  const wholeDays = (Number(years) * 12 + Number(months)) * 30 + Number(days)
  const whole = BigInt(wholeDays * 86_400 + (sign === '-' ? -clock : clock))
  return String(whole * 1_000_000n + BigInt(sign === '-' ? -micros : micros))
}
