// What an error on the way from one side to the other means for the relay: whose it is, and what has to follow.
import pg from 'pg'

/**
 * `guard`: perhaps this leader was replaced. `unique`: rows that stand in each other's way, which more rows at once may
 * solve. `table` and `row`: the data cannot be written, however often it is tried. `wait`: everything else.
 */
export type Trouble = 'guard' | 'unique' | 'table' | 'row' | 'wait'

// By SQLSTATE or its class; the first that fits.
const TROUBLES: readonly (readonly [RegExp, Trouble])[] = [
  [/^22012$/, 'guard'],
  [/^(23505|23P01)$/, 'unique'],
  // Connection, rollbacks, resources, operators' intervention, the system below, and what waits for somebody's lock.
  [/^(08|25|40|53|57|58|55P03$|55006$)/, 'wait'],
  // Names, types and privileges: whichever row it is.
  [/^(0A|42|3F|3D|0L|0P|28)/, 'table'],
]

export function troubleOf(error: unknown): Trouble {
  const code = sqlstateOf(error)
  if (code === undefined) return 'wait'
  return TROUBLES.find(([pattern]) => pattern.test(code))?.[1] ?? 'row'
}

/** Undefined where the error is not an answer of the server. */
export const sqlstateOf = (error: unknown): string | undefined =>
  error instanceof pg.DatabaseError ? error.code : undefined

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const FIRST_PAUSE_MILLIS = 50
const LONGEST_PAUSE_MILLIS = 5_000

/** How long to wait after so many failures in a row. Random, so that many processes do not come back at once. */
export const backOffMillis = (failures: number): number =>
  Math.min(LONGEST_PAUSE_MILLIS, FIRST_PAUSE_MILLIS * 2 ** (failures - 1)) * (0.75 + Math.random() / 4)
