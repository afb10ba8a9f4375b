// Moves the wall clock of this process, as far as JavaScript can see it. That of a server cannot be moved here.
let shift = 0
const RealDate = Date
const realNow = Date.now.bind(Date)

/** Milliseconds; timers and `performance.now()` go on as before, as they do when a machine's clock is set. */
export function shiftClock(millis: number): void {
  shift += millis
  if (globalThis.Date !== RealDate) return
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, given, newTarget) =>
      Reflect.construct(target, given.length === 0 ? [realNow() + shift] : given, newTarget) as Date,
    apply: () => new RealDate(realNow() + shift).toString(),
    get: (target, key, receiver) =>
      key === 'now' ? () => realNow() + shift : (Reflect.get(target, key, receiver) as unknown),
  })
}
