// One way of asking for a row by its key: a library on a pool.

export interface Contender {
  /** One row of `note`, as a service would ask for it. */
  ask(id: number): Promise<unknown>
  close(): Promise<void>
}

/** As many rows as `note` has. */
export const NOTES = 100

/** Connections of each contender. */
export const MAX = 10
