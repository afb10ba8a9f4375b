// Percentiles of what callers waited, in all and over time.

export interface Sample {
  readonly sent: number
  readonly acked: number
}

export interface Percentiles {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export function percentiles(samples: readonly Sample[]): Percentiles {
  const waits = samples.map(({ sent, acked }) => acked - sent).toSorted((a, b) => a - b)
  const at = (share: number): number => waits[Math.ceil(share * waits.length) - 1] ?? 0
  return { count: waits.length, p50: at(0.5), p99: at(0.99), max: waits.at(-1) ?? 0 }
}

/** Those that were answered from one moment to another. */
export function between<S extends Sample>(samples: readonly S[], from: number, to: number): S[] {
  return samples.filter(({ acked }) => acked >= from && acked < to)
}

export interface Bin extends Percentiles {
  readonly from: number
}

/** A row of percentiles for each stretch of time, by the moment of the answer; none for an empty stretch. */
export function overTime(samples: readonly Sample[], from: number, binMillis: number): Bin[] {
  const bins = new Map<number, Sample[]>()
  for (const sample of samples) {
    const index = Math.floor((sample.acked - from) / binMillis)
    const bin = bins.get(index)
    if (bin) bin.push(sample)
    else bins.set(index, [sample])
  }
  return [...bins]
    .toSorted(([a], [b]) => a - b)
    .map(([index, members]) => ({ from: from + index * binMillis, ...percentiles(members) }))
}

/** For people and for JSON. */
export const rounded = (millis: number): number => Math.round(millis * 100) / 100
