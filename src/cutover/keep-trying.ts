// Tries something that has failed once more, ever more seldom, until it is done or not wanted any more.

const FIRST_PAUSE_MILLIS = 250
const LONGEST_PAUSE_MILLIS = 10_000

export interface Trying {
  /** Begins no further try, and waits for the one that runs. Idempotent; never rejects. */
  stop(): Promise<void>
}

/** The first try comes after a pause. Keeps no process alive. */
export function keepTrying(work: () => Promise<void>): Trying {
  let stopped = false
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  function later(pause: number): void {
    if (stopped) return
    // A whole fleet may have been started at the same moment, and should not come back at the same moment.
    const millis = pause * (0.5 + Math.random() / 2)
    timer = setTimeout(() => {
      running = work().catch(() => later(Math.min(2 * pause, LONGEST_PAUSE_MILLIS)))
    }, millis).unref()
  }
  later(FIRST_PAUSE_MILLIS)

  return {
    async stop() {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}
