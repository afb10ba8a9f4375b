// What the application was told, kept in memory and only ever added to: the truth that the databases are audited against.
import type { SLOW, WriteName } from './writes.js'
import type { Table } from './schema.js'

export type Side = 'old' | 'new'

/** A change whose sum can be checked in the end, a row that has to be gone, or one whose key has to be another. */
export type Effect =
  | { readonly kind: 'balance'; readonly account: number; readonly change: number }
  | { readonly kind: 'stock'; readonly product: number; readonly change: number }
  | { readonly kind: 'gone'; readonly table: 'reservations' | 'jobs'; readonly write: number }
  | { readonly kind: 'moved'; readonly event: number; readonly day: number }

/** A row in which a reader can look a write up. */
export interface Place {
  readonly table: Table
  readonly key: string | number
}

/** A write whose caller was told that it is done: an autocommit statement, or a transaction by its COMMIT. */
export interface Entry {
  /** Unique in a run; the rows of the write carry it. */
  readonly number: number
  readonly kind: WriteName | typeof SLOW
  /** Of the application; the demo's own is 0. */
  readonly process: number
  /** Counted over all processes. */
  readonly writer: number
  /** As the statement itself answered it. */
  readonly side: Side
  /** On the clock of `performance.now()`, as is `acked`. */
  readonly sent: number
  readonly acked: number
  readonly effects: readonly Effect[]
  readonly place: Place | undefined
}

export interface Read {
  readonly kind: string
  readonly reader: number
  /** Undefined where it was not asked for. */
  readonly side: Side | undefined
  readonly sent: number
  readonly acked: number
}

export interface Failure {
  readonly what: string
  readonly at: number
  readonly error: unknown
}

/** What another process has written down. */
export interface Page {
  readonly entries: readonly Entry[]
  readonly reads: readonly Read[]
  readonly failures: readonly Failure[]
  readonly stale: number
}

export class Ledger {
  readonly #entries: Entry[] = []
  readonly #reads: Read[] = []
  readonly #failures: Failure[] = []
  readonly #stride: number
  #issued: number
  #stale = 0

  /** The numbers of `process` out of so many processes, none of which issues another's. */
  constructor(process = 0, processes = 1) {
    this.#stride = processes
    this.#issued = process
  }

  get entries(): readonly Entry[] {
    return this.#entries
  }

  get reads(): readonly Read[] {
    return this.#reads
  }

  get failures(): readonly Failure[] {
    return this.#failures
  }

  /** Reads that did not see a write which had been acknowledged before they began; they are failures too. */
  get stale(): number {
    return this.#stale
  }

  /** The number of a write that is about to be sent. */
  issue(): number {
    this.#issued += this.#stride
    return this.#issued
  }

  /** Of another process, some time after it was written down there: so nothing here is in the order of the answers. */
  take({ entries, reads, failures, stale }: Page): void {
    this.#entries.push(...entries)
    this.#reads.push(...reads)
    this.#failures.push(...failures)
    this.#stale += stale
  }

  acknowledge(entry: Entry): void {
    this.#entries.push(entry)
  }

  answered(read: Read): void {
    this.#reads.push(read)
  }

  failed(what: string, error: unknown): void {
    this.#failures.push({ what, at: performance.now(), error })
  }

  missed(what: string): void {
    this.#stale++
    this.failed(what, new Error('an acknowledged write was not seen'))
  }
}
