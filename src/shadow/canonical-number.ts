// Numbers in one form for all that Postgres calls equal. None of them passes through a double that was not one before.

/** Of numeric: `1.50` is `1.5`. The server writes neither exponents nor leading zeros nor a negative zero. */
export function canonicalNumeric(raw: string): string {
  if (!raw.includes('.')) return raw
  let end = raw.length
  while (raw.charCodeAt(end - 1) === 48) end--
  return raw.slice(0, raw.charCodeAt(end - 1) === 46 ? end - 1 : end)
}

/** Servers before 12 write more digits than it takes; -0 is 0. */
export function canonicalFloat8(raw: string): string {
  return String(Number(raw) + 0)
}

export function canonicalFloat4(raw: string): string {
  return String(Math.fround(Number(raw)) + 0)
}

/** The numbers inside a point, a box and the like. */
export function canonicalGeometry(raw: string): string {
  return raw.replace(/-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Infinity)/g, canonicalFloat8)
}

/** As many digits as a double always gives back. */
const EXACT_DIGITS = 15
const EXACT_POWER = 290n

/** Of a number in JSON, which may be longer and larger than any double; as JSON.stringify writes it where it is not. */
export function canonicalJsonNumber(token: string): string {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token)
  if (!parts) throw new SyntaxError('no number of JSON')
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = parts
  const all = `${whole}${fraction}`.replace(/^0+/, '')
  if (all === '') return '0'
  const digits = withoutTrailingZeros(all)
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(all.length - digits.length)
  const exact = `${sign}${digits}e${power}`
  return digits.length <= EXACT_DIGITS && power < EXACT_POWER && power > -EXACT_POWER
    ? String(Number(exact))
    : exact
}

function withoutTrailingZeros(digits: string): string {
  let end = digits.length
  while (digits.charCodeAt(end - 1) === 48) end--
  return digits.slice(0, end)
}
