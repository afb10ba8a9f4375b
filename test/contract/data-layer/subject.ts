// What the contract of data layers knows of one: how it is opened on either pool, and how it does what services do.
import type { Cutover } from '../../../src/index.js'

/** A row as the library gives it. */
export type Row = Readonly<Record<string, unknown>>

export type Isolation = 'read committed' | 'repeatable read' | 'serializable'

/** `killedAtWork`: the library itself goes on after the backend of a statement or a transaction was killed. */
export type Capability = 'savepoint' | 'stream' | 'cancelAfter' | 'migrate' | 'killedAtWork'

export interface OpenOptions {
  /** How many clients at most. */
  readonly max: number
  /** How long a call waits for a client, by the library's own option where it has one; unset: its default. */
  readonly acquireTimeoutMillis?: number | undefined
}

/** One library. Its texts are printed in docs/clients.md. */
export interface DataLayer {
  /** As its makers write it. */
  readonly name: string
  /** The npm packages it comes in, the one whose version counts first. */
  readonly packages: readonly [string, ...string[]]
  /** The one expression that hands the facade in, as code. */
  readonly handIn: string
  /** What differs from its stock pool, in one line; empty if nothing does. */
  readonly special: string
  /** The example that shows it, from the root of the project. */
  readonly example: string
  /**
   * Who ends the wait for a client: `pool` by `connectionTimeoutMillis`, which stands still during a hold; `library` by a
   * timer of its own, which does not; `none` where nobody does.
   */
  readonly acquireTimeoutOf: 'pool' | 'library' | 'none'
  /** What its subject gives each wait on top of `acquireTimeoutMillis`, in which a connection is opened. Unset: nothing. */
  readonly acquireExtraMillis?: number | undefined
  /** What the library has no means for; the contract asserts that there is none. Unset: it has all of them. */
  readonly lacks?: readonly Capability[] | undefined
  /** Set where a call after `close` opens the library again, as its makers mean it to. */
  readonly reopens?: true | undefined
  /**
   * Set where the facade knows of its work by pins alone, and cannot see whether that is at work: a call that comes during
   * a hold may begin on the side being left as long as that is not drained.
   */
  readonly pins?: true | undefined
  /** Set where its reads wait during a hold as its writes do, since they come in a checkout or a pin. */
  readonly readsWait?: true | undefined
  /** On its own pool. */
  openStock(url: string, options: OpenOptions): Promise<Session>
  /** On the facade. `urls` are for libraries that make connections of their own. */
  openFacade(
    cutover: Cutover,
    urls: { readonly old: string; readonly new: string },
    options: OpenOptions,
  ): Promise<Session>
  /** The SQLSTATE that an error of the library carries, or that its own code stands for. */
  sqlState(error: unknown): string | undefined
}

/** What can be asked in a transaction and outside of one. */
export interface Executor {
  /** A text with `$1`, `$2`, in the library's way of running one. */
  query(text: string, values?: readonly unknown[]): Promise<readonly Row[]>
  /** `insert into note (text)` by the library's own builder or model, where it has one; gives the id. */
  addNote(text: string): Promise<number>
}

export interface Transaction extends Executor {
  /** A savepoint around `work`, rolled back to where it fails; undefined where the library has none. */
  readonly savepoint?: (<T>(work: (tx: Executor) => Promise<T>) => Promise<T>) | undefined
}

/** An opened library. What is undefined it does not have, and docs/clients.md says so. */
export interface Session extends Executor {
  /** The texts of all notes by id, by builder or model. */
  notes(): Promise<string[]>
  /** The row of `specimen` with this id by builder or model, every column as the library gives it. */
  readSpecimen(id: number): Promise<Row>
  /** Writes `specimen` anew under another id by builder or model, with the values that `readSpecimen` gave. */
  writeSpecimen(row: Row, id: number): Promise<void>
  transaction<T>(work: (tx: Transaction) => Promise<T>, isolation?: Isolation): Promise<T>
  /** The rows of a statement one by one. */
  readonly stream?: ((text: string) => AsyncIterable<Row>) | undefined
  /**
   * Runs the statement and gives it up after `millis` by the library's own means; rejects, and then the server does not
   * run it any more.
   */
  readonly cancelAfter?: ((text: string, millis: number) => Promise<unknown>) | undefined
  /** Runs the library's own migrations, which make the table `migrated (id int primary key)`. Twice is as once. */
  readonly migrate?: (() => Promise<void>) | undefined
  /** Ends the library as a service does at shutdown. */
  close(): Promise<void>
}
