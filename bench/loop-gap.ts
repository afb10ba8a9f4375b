// The longest time for which the event loop did not turn while something ran.

export interface LoopGap {
  /** Stops watching. */
  stop(): { readonly millis: number; readonly cpuMillis: number }
}

/**
 * Watches each turn of the loop by itself: a sampled histogram would smooth a single long turn away. The CPU time of
 * the worst turn tells our own work from waiting for a processor that others use.
 */
export function watchLoop(): LoopGap {
  let millis = 0
  let cpuMillis = 0
  let last = performance.now()
  let lastCpu = process.cpuUsage()
  let watching = true
  const turn = (): void => {
    const now = performance.now()
    const { user, system } = process.cpuUsage(lastCpu)
    millis = Math.max(millis, now - last)
    cpuMillis = Math.max(cpuMillis, (user + system) / 1_000)
    last = now
    lastCpu = process.cpuUsage()
    if (watching) setImmediate(turn)
  }
  setImmediate(turn)
  return {
    stop() {
      watching = false
      turn()
      return { millis, cpuMillis }
    },
  }
}
