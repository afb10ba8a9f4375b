// Statements that a session plans once, for texts of several statements: to plan one takes longer than to run it for a few rows.
import { createHash } from 'node:crypto'
import type { ControlConnection, Row } from '../control/control-connection.js'
import { sqlstateOf } from './relay-trouble.js'

/** To be named in a text as `execute <name> (…)`. */
export interface PreparedStatement {
  readonly name: string
  readonly text: string
}

/** `types` are those of its parameters. The same statement always has the same name. */
export function prepared(types: string, text: string): PreparedStatement {
  const hash = createHash('sha256').update(`${types} ${text}`).digest('hex').slice(0, 32)
  const name = `cutover_${hash}`
  return { name, text: `prepare ${name} ${types === '' ? '' : `(${types}) `}as ${text}` }
}

const UNKNOWN_STATEMENT = '26000'
const KNOWN_STATEMENT = '42P05'

export class PreparedTexts {
  readonly #on: ControlConnection
  /** Names, as far as the session is still the one that they were prepared in. */
  readonly #known = new Set<string>()

  constructor(on: ControlConnection) {
    this.#on = on
  }

  /** The rows of each statement of a text, which may execute these. When it rejects, a transaction may be left open. */
  async run(text: string, statements: readonly PreparedStatement[]): Promise<Row[][]> {
    await this.#prepare(statements)
    try {
      return await this.#on.runAll(text)
    } catch (error) {
      if (sqlstateOf(error) !== UNKNOWN_STATEMENT) throw error
      // A connection that was lost has been opened again.
      await this.#on.run('rollback')
      this.#known.clear()
      await this.#prepare(statements)
      return await this.#on.runAll(text)
    }
  }

  async #prepare(statements: readonly PreparedStatement[]): Promise<void> {
    for (const { name, text } of statements) {
      if (this.#known.has(name)) continue
      try {
        await this.#on.run(text)
      } catch (error) {
        if (sqlstateOf(error) !== KNOWN_STATEMENT) throw error
      }
      this.#known.add(name)
    }
  }
}
