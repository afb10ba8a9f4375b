// How a command ends: its exit code, and what it says to people and to machines.

/** What the exit codes mean; the same table is printed by `--help`. */
export const EXIT = {
  done: 0,
  refused: 1,
  usage: 2,
  needsRecover: 3,
  /** The move is done and stands, and something that it was to take away is still there. */
  leftBehind: 4,
} as const

/** What a command has to say: for people, for machines, and as an exit code. */
export interface Outcome {
  readonly exit: (typeof EXIT)[keyof typeof EXIT]
  readonly lines: readonly string[]
  readonly json: Readonly<Record<string, unknown>>
}
