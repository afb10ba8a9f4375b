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
  /** What was found, with the names of the objects. */
  readonly message: string
  /** Why it matters: what would be lost, hang or break. */
  readonly why: string
  /** The exact SQL or setting; for a managed service in the way that it is done there. */
  readonly fix: string
}
