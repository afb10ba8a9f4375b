// The points where CutoverPool is meant to behave otherwise than pg.Pool, with the reason; every case of the contract that differs reads this table.
export const differences = {
  /** Checkouts that wait for a free client when `end()` is called. */
  checkoutsQueuedAtEnd: {
    'pg.Pool': 'pending',
    CutoverPool: 'rejected',
    why: 'plain pg leaves them pending for ever, so a caller hangs; ours ends them with the text pg-pool gives to later calls',
  },
  /** The class that `pool.Client` shows. */
  clientShown: {
    'pg.Pool': 'its own',
    CutoverPool: 'one that finds the server',
    why: 'data layers make one more client by it to cancel the statement of another, which may run on either server',
  },
} as const satisfies Record<string, { 'pg.Pool': string; CutoverPool: string; why: string }>

export type Difference = keyof typeof differences
export type Outcome = (typeof differences)[Difference]['pg.Pool' | 'CutoverPool']
