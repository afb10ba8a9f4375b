// Which types of columns take every value of which others, so that the two sides may differ in them.

// Every value fits, and on the way back every value that came from there does.
const WIDER: readonly (readonly [RegExp, RegExp])[] = [
  [/^smallint$/, /^(integer|bigint)$/],
  [/^integer$/, /^bigint$/],
  [/^real$/, /^double precision$/],
  [/^character varying/, /^(text|character varying)$/],
]

/** By the names that Postgres gives them in full. */
export const isWider = (narrow: string, wide: string): boolean =>
  WIDER.some(([left, right]) => left.test(narrow) && right.test(wide))
