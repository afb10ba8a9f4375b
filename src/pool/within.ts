// Bounds how long is waited for something that is under way and may be over too late.

/** `what` has not happened is the reason at the end of the time. */
export function within<T>(millis: number, work: Promise<T>, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new Error(`${what} within ${Math.round(millis)} ms`))
    const timer = setTimeout(late, millis)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
