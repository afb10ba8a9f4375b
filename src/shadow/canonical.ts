// Values in one form for all that Postgres calls equal and all that differ in their form alone.
import type { AnswerField } from './answer.js'
import { canonicalJson, canonicalJsonb } from './canonical-json.js'
import { canonicalArray, canonicalMultirange, canonicalRange } from './canonical-nested.js'
import { canonicalFloat4, canonicalFloat8, canonicalGeometry, canonicalNumeric } from './canonical-number.js'
import { canonicalInstant, canonicalInterval } from './canonical-time.js'

export type Canonical = (raw: string) => string

interface BuiltIn {
  readonly oid: number
  readonly array: number
  readonly canonical: Canonical
  /** Between the elements of an array of these, where it is no comma. */
  readonly delimiter?: ';'
}

/** The spaces that fill up a char(n) are no part of it. */
function canonicalBpchar(raw: string): string {
  let end = raw.length
  while (raw.charCodeAt(end - 1) === 32) end--
  return raw.slice(0, end)
}

/**
 * The built-in types of which equal values may be written in more than one way under the pinned settings. All others,
 * the server's own among them, are compared by their text.
 */
export const BUILT_IN = {
  json: { oid: 114, array: 199, canonical: canonicalJson },
  point: { oid: 600, array: 1017, canonical: canonicalGeometry },
  lseg: { oid: 601, array: 1018, canonical: canonicalGeometry },
  path: { oid: 602, array: 1019, canonical: canonicalGeometry },
  box: { oid: 603, array: 1020, canonical: canonicalGeometry, delimiter: ';' },
  polygon: { oid: 604, array: 1027, canonical: canonicalGeometry },
  line: { oid: 628, array: 629, canonical: canonicalGeometry },
  float4: { oid: 700, array: 1021, canonical: canonicalFloat4 },
  float8: { oid: 701, array: 1022, canonical: canonicalFloat8 },
  circle: { oid: 718, array: 719, canonical: canonicalGeometry },
  bpchar: { oid: 1042, array: 1014, canonical: canonicalBpchar },
  timestamptz: { oid: 1184, array: 1185, canonical: canonicalInstant },
  interval: { oid: 1186, array: 1187, canonical: canonicalInterval },
  numeric: { oid: 1700, array: 1231, canonical: canonicalNumeric },
  jsonb: { oid: 3802, array: 3807, canonical: canonicalJsonb },
  numrange: { oid: 3906, array: 3907, canonical: canonicalRange(canonicalNumeric) },
  tstzrange: { oid: 3910, array: 3911, canonical: canonicalRange(canonicalInstant) },
  nummultirange: { oid: 4532, array: 6151, canonical: canonicalMultirange(canonicalNumeric) },
  tstzmultirange: { oid: 4534, array: 6153, canonical: canonicalMultirange(canonicalInstant) },
} as const satisfies Record<string, BuiltIn>

const BY_OID = new Map<number, Canonical>(
  Object.values<BuiltIn>(BUILT_IN).flatMap(({ oid, array, canonical, delimiter }) => [
    [oid, canonical],
    [array, canonicalArray(canonical, delimiter)],
  ]),
)

/** Undefined where the text is the canonical form. */
export function canonicalOf({ type, system }: AnswerField): Canonical | undefined {
  return system === true ? () => '' : BY_OID.get(type)
}

/** Equal for two values of a type exactly where they are equal to Postgres or differ in their form alone. */
export function canonicalValue(raw: string, type: number): string {
  return BY_OID.get(type)?.(raw) ?? raw
}
