// The points where CutoverPool is meant to behave otherwise than pg.Pool, with the reason; every case of the contract that differs reads this table.
export const differences = {
  /** Checkouts that wait for a free client when `end()` is called. */
  checkoutsQueuedAtEnd: {
    'pg.Pool': 'pending',
    CutoverPool: 'rejected',
    why: 'plain pg leaves them pending for ever, so a caller hangs; ours ends them with the text pg-pool gives to later calls',
  },
} as const satisfies Record<string, { 'pg.Pool': string; CutoverPool: string; why: string }>

export type Difference = keyof typeof differences
export type Outcome = (typeof differences)[Difference]['pg.Pool' | 'CutoverPool']
