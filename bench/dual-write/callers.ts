// So many callers at once, each of whom asks again as soon as it was answered.
import { quantile } from '../paired.js'

export const CALLERS = 16

export interface Waited {
  /** A call, until all have answered. */
  readonly micros: number
  readonly p50: number
  readonly p99: number
}

export async function callers(calls: number, ask: (nr: number) => Promise<unknown>): Promise<Waited> {
  let left = calls
  const waited: number[] = []
  const caller = async (): Promise<void> => {
    while (left > 0) {
      const nr = left--
      const began = performance.now()
      await ask(nr)
      waited.push(performance.now() - began)
    }
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: CALLERS }, caller))
  return {
    micros: ((performance.now() - began) * 1_000) / calls,
    p50: quantile(waited, 0.5),
    p99: quantile(waited, 0.99),
  }
}
