// What a listener is told: notifications, and that there may be some which nobody could hear.
import type { Side } from '../phase/phases.js'

/** One notification, or the word that some may have been missed. Look at `kind` first. */
export type Heard =
  | {
      readonly kind: 'notification'
      readonly channel: string
      /** Empty where `NOTIFY` had none. */
      readonly payload: string
      /** The server process that notified. */
      readonly processId: number
      /** The database in which it was notified. */
      readonly side: Side
    }
  | {
      /**
       * What was notified up to now may not have been heard, and what is notified from now on will be: read anew whatever
       * the notifications are about.
       */
      readonly kind: 'resync'
      readonly channel: string
      /**
       * `reconnected`: the connection was lost and made anew. `moved`: this process has moved to the other database, and
       * others may have notified there before it listened.
       */
      readonly reason: 'reconnected' | 'moved'
      /** The database that is listened to from now on. */
      readonly side: Side
    }

/** One that throws is reported as an uncaught exception in a turn of its own; the others hear all the same. */
export type Listener = (heard: Heard) => void

/** A channel that is listened to. */
export interface Listening {
  /**
   * The listener is not called any more from this turn on. Resolves when the server has been told, or cannot be reached.
   * Idempotent; never rejects.
   */
  close(): Promise<void>
}
