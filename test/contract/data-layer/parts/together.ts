// Ways to have several calls under way at once, in an order that does not hang on time.
import type { Session, Transaction } from '../subject.js'

/** A promise and who settles it. */
export interface Signal {
  readonly given: Promise<void>
  give(): void
}

export function signal(): Signal {
  let give!: () => void
  const given = new Promise<void>((resolve) => {
    give = resolve
  })
  return { given, give }
}

/** A transaction that has begun and waits to be told to end. */
export interface OpenTransaction {
  readonly tx: Transaction
  /** Commits, and resolves when that is done. */
  commit(): Promise<void>
  /** Lets the work fail with this, and resolves when the library is through with it. */
  fail(error: Error): Promise<unknown>
}

export async function openTransaction(session: Session): Promise<OpenTransaction> {
  let finish!: (error?: Error) => void
  const finished = new Promise<void>((resolve, reject) => {
    finish = (error) => (error === undefined ? resolve() : reject(error))
  })
  let ended!: Promise<void>
  const tx = await new Promise<Transaction>((resolve, reject) => {
    ended = session.transaction(async (given) => {
      // Many libraries begin at the first statement.
      await given.query('select 1 as one')
      resolve(given)
      await finished
    })
    ended.catch(reject)
  })
  return {
    tx,
    commit: () => {
      finish()
      return ended
    },
    fail: (error) => {
      finish(error)
      return ended.then(
        () => undefined,
        (reason: unknown) => reason,
      )
    },
  }
}

/** Resolves when so many transactions were open at once: none of the library's clients is lost. */
export async function allClientsAreThere(
  session: Session,
  count: number,
  patienceMillis = 5_000,
): Promise<void> {
  const all = signal()
  let open = 0
  const late = setTimeout(all.give, patienceMillis)
  const ended = await Promise.allSettled(
    Array.from({ length: count }, () =>
      session.transaction(async (tx) => {
        await tx.query('select 1 as one')
        if (++open === count) all.give()
        await all.given
        if (open < count) throw new Error(`only ${open} of ${count} clients are to be had`)
      }),
    ),
  )
  clearTimeout(late)
  for (const one of ended) if (one.status === 'rejected') throw one.reason
}
