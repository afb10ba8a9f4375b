// What may be against a name or a text, as bits of one number.

/** The sum of some of those below. */
export type Flags = number

/** No read. */
export const WRITES = 1
/** Another answer without any write. */
export const MOVES = 2
/** The server's choice, where no order leaves it none. */
export const CUTS = 4
/** Many rows for one. */
export const MULTIPLIES = 8
