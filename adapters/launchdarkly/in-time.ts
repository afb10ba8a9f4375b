// Bounds the wait for a client, whose store may be on another machine and not answer.

/** An evaluation is done in memory, but for a client with a store of its own, such as one in Redis. */
export const PATIENCE_MILLIS = 5_000

/** Undefined where it takes longer than a source may be silent; a late answer is dropped, since a newer look may be under way. */
export async function inTime<T>(evaluation: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MILLIS, undefined).unref()
  })
  try {
    return await Promise.race([evaluation, late])
  } finally {
    clearTimeout(timer)
  }
}
