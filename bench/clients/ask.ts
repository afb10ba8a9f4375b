// What one query of a contender takes, with so many callers at once.
import { NOTES, type Contender } from './contender.js'
import type { Cost } from './parts.js'

/** Microseconds a query: until all have answered, and of CPU of this process, which is without the server's share. */
export async function ask(contender: Contender, callers: number, queries: number): Promise<Cost> {
  let left = queries
  const caller = async (): Promise<void> => {
    while (left-- > 0) await contender.ask(1 + (left % NOTES))
  }
  const before = process.cpuUsage()
  const start = performance.now()
  await Promise.all(Array.from({ length: callers }, caller))
  const millis = performance.now() - start
  const { user, system } = process.cpuUsage(before)
  return { micros: (millis * 1_000) / queries, cpuMicros: (user + system) / queries }
}
