// What a gate asks about texts. The parser is loaded when somebody first needs it; until then no text is known.
import type { Side } from '../phase/phases.js'
import type { Statements } from './statements.js'

export class KnownTexts {
  #statements: Statements | undefined
  #loading: Promise<Statements> | undefined

  /** Undefined until {@link load} has resolved. */
  get loaded(): Statements | undefined {
    return this.#statements
  }

  /** Never rejects for want of the optional parser. */
  load(): Promise<Statements> {
    return (this.#loading ??= this.#load())
  }

  /** Whether a text is one plain statement that may run twice if it did nothing the first time. */
  isOnePlainStatement(text: string): boolean {
    return this.#statements?.of(text).plain ?? false
  }

  /** Whether a text is known to do nothing but read on this side. */
  isRead(text: string, side: Side): boolean {
    return this.#statements?.isRead(text, side) ?? false
  }

  async #load(): Promise<Statements> {
    const { loadStatements } = await import('./statements.js')
    return (this.#statements = await loadStatements())
  }
}
