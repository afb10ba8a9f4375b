// One clock for all processes of a machine: what to add to this process's `performance.now()` to get it.

/** Never set back or forth, as the clock of the day may be; its beginning means nothing. */
export const beginningOfClock = (): number => Number(process.hrtime.bigint()) / 1e6 - performance.now()
