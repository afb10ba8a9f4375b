// Waits for what nobody announces, by looking again and again.

const UNTIL_MILLIS = 10_000

/** Resolves when nothing is wrong any more; rejects with what was wrong last. */
export async function until(wrong: () => string | undefined): Promise<void> {
  const deadline = performance.now() + UNTIL_MILLIS
  for (let what = wrong(); what !== undefined; what = wrong()) {
    if (performance.now() > deadline) throw new Error(what)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
