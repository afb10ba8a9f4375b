// postgres.js over both databases: one `sql` whose queries choose their side when they are executed.
import { PHASES, type Cutover, type EventMap, type Side } from '../src/index.js'
import { checkCutover, refusal, shown } from './options.js'
import { Instances, type EndOptions, type Instance } from './postgres-js/instances.js'
import { listenOver } from './postgres-js/listen.js'
import { Leases } from './postgres-js/leases.js'
import { over, type NativeQuery, type NativeReserved } from './postgres-js/native.js'
import { scopeOf, targetOf, type Target } from './postgres-js/scope.js'

const WHERE = 'postgresOver'
const EXPECTED = 'a function such as (side) => postgres(urls[side], { max: 10 })'

/**
 * One `sql` of postgres.js 3 (from 3.4 on) over both databases. `open` makes a new `sql` for a side, with the same options
 * but for the address; it is called again after each change of writer, so it must not give the same one twice:
 *
 * ```ts
 * const sql = postgresOver(cutover, (side) => postgres(side === 'old' ? OLD_URL : NEW_URL, { max: 10 }))
 * ```
 *
 * A query, `begin`, `reserve` and everything else chooses its side when it is executed, not when it is made, and ends
 * there. New work waits while the migration holds it; a change of writer waits for what is under way, a reserved connection
 * included until its `release()`. Connections to the other side are opened before a change of writer, and those to the side
 * that was left are closed after it.
 *
 * `listen` goes over `cutover.listen`; its promise gives `unlisten` and no `state`. `subscribe` and `largeObject` reject with
 * `ERR_OPTION`. `end()` ends the connections of both sides and nothing else of the migration; `cutover.end()` ends them too.
 *
 * A statement that meets the fence rejects with the database's own error `25006`: the migration sees it on connections of
 * `pg` only, so a process that uses nothing else hears of a move by its next look at the rows. With `max: 1`, a transaction
 * that is made of single statements is not known as one; use `begin`. Work that was given up while it waited rejects with a
 * `CutoverError` `57P03`. Throws `ERR_OPTION` for anything but a cutover and a function that makes such an `sql`.
 */
export function postgresOver<Sql extends object>(cutover: Cutover, open: (side: Side) => Sql): Sql {
  checkCutover(WHERE, cutover)
  if (typeof open !== 'function') throw refusal(WHERE, `open is ${shown(open)}`, EXPECTED)
  if ('PostgresError' in open) throw refusal(WHERE, 'open is postgres itself, or an sql of it', EXPECTED)
  const instances = new Instances(WHERE, open)
  const leases = new Leases(cutover, instances)
  const sentTo = new WeakMap<NativeQuery, Instance>()
  let ended: Promise<void> | undefined

  const sideInUse = (): Side => (cutover.phase === undefined ? 'old' : PHASES[cutover.phase].writes)
  const inUse = (): Instance => instances.of(sideInUse())

  // Filled as connections are opened. OIDs below 16384 are the same everywhere; others belong to one database.
  const arrayTypes = new Proxy<Record<string, number>>(
    {},
    {
      get: (_, oid) => (typeof oid === 'symbol' ? undefined : inUse().scope.options.shared.typeArrayMap[oid]),
    },
  )

  const root = scopeOf(() => inUse().scope, arrayTypes, {
    execute(query, send) {
      const sent = leases.run((instance) => {
        // It may have been cancelled while it waited.
        if (query.cancelled) return undefined
        sentTo.set(query, instance)
        const answered = over(query)
        send(instance)
        return answered
      })
      sent.catch((error: unknown) => query.reject(error))
    },
    cancel: (query) => (sentTo.get(query) ?? inUse()).cancel(query),
  })

  function hear({ route, side }: EventMap['route'][0]): void {
    const here: Side = side === 'old' ? 'old' : 'new'
    const other: Side = side === 'old' ? 'new' : 'old'
    if (route === 'armed') instances.warm(other, here)
    else if (route === 'releasing' || route === 'direct') instances.leave(other)
    // Nothing can run any more, and idle connections would keep the process alive.
    else if (route === 'ended') void end()
  }
  cutover.on('route', hear)

  async function finish({ timeout = null }: EndOptions): Promise<void> {
    // What was executed before in this very turn comes to its handler only now.
    await Promise.resolve()
    cutover.off('route', hear)
    await leases.close(timeout)
    await instances.end({ timeout })
  }
  const end = (options: EndOptions = {}): Promise<void> => (ended ??= finish(options))

  const { PostgresError, CLOSE } = inUse().scope
  const surface = Object.assign(root, {
    PostgresError,
    CLOSE,
    END: CLOSE,
    begin: (...given: readonly unknown[]) => leases.run(({ scope }) => scope.begin(...given)),
    reserve: () =>
      new Promise((resolve, reject) => {
        leases.run(async ({ scope }) => lend(await scope.reserve(), resolve)).catch(reject)
      }),
    listen: (channel: string, heard: (payload: string) => void, onListen?: () => void) =>
      listenOver(cutover, channel, heard, onListen),
    subscribe: () => Promise.reject(refusal(WHERE, 'subscribe was called', NO_SUBSCRIBE)),
    largeObject: () => Promise.reject(refusal(WHERE, 'largeObject was called', NO_LARGE_OBJECT)),
    end,
  })
  Object.defineProperties(surface, {
    options: { get: () => inUse().scope.options, enumerable: true },
    parameters: { get: () => inUse().scope.parameters, enumerable: true },
  })
  return surface as unknown as Sql
}

const NO_SUBSCRIBE =
  'an sql of its own for the slot of one database, made with postgres(), since a slot does not move'
const NO_LARGE_OBJECT =
  'lo_open and its like in sql.begin; large objects are in no mirror, so they must be moved by other means'

/** Hands a reserved connection to its user; resolves when it is given back and nothing runs on it any more. */
function lend(reserved: NativeReserved, hand: (sql: unknown) => void): Promise<void> {
  return new Promise((done) => {
    const target: Target = targetOf(reserved)
    let running = 0
    let released = false
    const look = (): void => {
      if (released && running === 0) done()
    }
    const scope = scopeOf(() => reserved, undefined, {
      execute(query, send) {
        running++
        const ended = (): void => {
          running--
          look()
        }
        void over(query).then(ended)
        send(target)
      },
      cancel: (query) => target.cancel(query),
    })
    const release = (): void => {
      if (released) return
      released = true
      reserved.release()
      // What was executed before in this very turn comes to its handler only now.
      queueMicrotask(look)
    }
    hand(Object.assign(scope, { release }))
  })
}
