// What preflight says: a stable code, the object, why it matters, and what repairs it.
import type { Side } from '../../phase/phases.js'

/** `mirror`: before anything is made. `cutover`: before each change of writer, with the mirror running. */
export type Stage = 'mirror' | 'cutover'

export interface Finding {
  /** Stable; see the table in the documentation. */
  readonly code: string
  /** An error refuses; a warning is for somebody to read. */
  readonly severity: 'error' | 'warning'
  readonly side?: Side
  readonly object?: string
  readonly message: string
  /** The exact SQL or setting. */
  readonly fix: string
}
