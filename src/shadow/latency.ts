// Latencies in buckets that can be added up across processes: each bucket is a tenth wider than the one before.

/** A value is told as the middle of its bucket, which is at most 4.8 % off. */
const GROWTH = 1.1
const LEAST_MILLIS = 0.01
/** The last bucket holds everything from some two minutes on; a comparison is given up long before. */
const BUCKETS = 172

const PER_BUCKET = 1 / Math.log(GROWTH)
const MOST = 2 ** 32 - 1

export type Buckets = Uint32Array

export const noBuckets = (): Buckets => new Uint32Array(BUCKETS)

export function addMillis(buckets: Buckets, millis: number): void {
  // What is no number would be written to no bucket at all.
  const at = millis > LEAST_MILLIS ? Math.floor(Math.log(millis / LEAST_MILLIS) * PER_BUCKET) : 0
  add(buckets, Math.min(at, BUCKETS - 1), 1)
}

/** Adds the counts of `more` to `into`. */
export function mergeBuckets(into: Buckets, more: Buckets): Buckets {
  for (let at = 0; at < BUCKETS; at++) {
    const count = more[at] ?? 0
    if (count > 0) add(into, at, count)
  }
  return into
}

/** Milliseconds below which this share of the values lies, from 0 to 1; undefined while there is none. */
export function percentile(buckets: Buckets, share: number): number | undefined {
  let total = 0
  for (let at = 0; at < BUCKETS; at++) total += buckets[at] ?? 0
  if (total === 0) return undefined
  let left = Math.max(1, Math.ceil(total * share))
  for (let at = 0; at < BUCKETS; at++) {
    left -= buckets[at] ?? 0
    if (left <= 0) return middleOf(at)
  }
  return middleOf(BUCKETS - 1)
}

/** The counts that are not 0 as `bucket.count`, each in base 36. */
export function bucketsToText(buckets: Buckets): string {
  let text = ''
  // Hundreds of statements are written in one turn, and an iterator of entries takes ten times as long.
  for (let at = 0; at < BUCKETS; at++) {
    const count = buckets[at] ?? 0
    if (count > 0) text += `${text === '' ? '' : ' '}${at.toString(36)}.${count.toString(36)}`
  }
  return text
}

/** What is no such text, as of another version, is left out. */
export function bucketsFromText(text: string): Buckets {
  const buckets = noBuckets()
  for (const part of text.split(' ')) {
    const dot = part.indexOf('.')
    const at = Number.parseInt(part.slice(0, dot), 36)
    const count = Number.parseInt(part.slice(dot + 1), 36)
    if (at >= 0 && at < BUCKETS && count > 0) add(buckets, at, count)
  }
  return buckets
}

function add(buckets: Buckets, at: number, count: number): void {
  buckets[at] = Math.min(MOST, (buckets[at] ?? 0) + count)
}

const middleOf = (at: number): number => LEAST_MILLIS * GROWTH ** at * ((2 * GROWTH) / (1 + GROWTH))
