// A client that knows the types of the database it is connected to: their OIDs differ between two databases.
import type { EventEmitter } from 'node:events'
import type { Cutover } from '../src/index.js'

/** As pg takes it in the config of a client. */
export interface TypeParsers {
  getTypeParser(oid: number, format?: string): unknown
}

/** A client of pg, as far as it is used here. */
export interface AskedClient {
  query(config: object, callback: (error: Error | null, result: { rows: readonly TextRow[] }) => void): void
}

type TextRow = Readonly<Record<string, string>>

export interface TypeQuestion<Types> {
  readonly text: string
  readonly values?: readonly unknown[]
  /** The answer, every value as the server writes it. */
  readonly read: (rows: readonly TextRow[]) => Types
}

export interface TypedClientOptions<Types> {
  readonly question: TypeQuestion<Types>
  /** `types` is what was told on the connection that the value came on; undefined before anything was. */
  readonly parserOf: (
    given: TypeParsers,
    types: Types | undefined,
    oid: number,
    format: string | undefined,
  ) => unknown
}

interface ClientConfig {
  readonly types?: TypeParsers | undefined
}

// Whatever parsers the library has set, these are our own values.
const asText = { getTypeParser: () => (value: string) => value }

/** Asks on this connection, before whatever is asked on it later. */
export function ask<Types>(
  client: AskedClient,
  { text, values = [], read }: TypeQuestion<Types>,
  told: (types: Types) => void,
  // A connection that fails here fails for its user as well.
  failed: (error: Error) => void = () => {},
): void {
  client.query({ text, values, types: asText }, (error, result) => {
    if (error) failed(error)
    else told(read(result.rows))
  })
}

/** A class of clients that ask the question first on each new connection, and parse by what they were told there. */
export function typedClient<Types>(
  Client: Cutover['Client'],
  { question, parserOf }: TypedClientOptions<Types>,
): Cutover['Client'] {
  // Never connected: it knows the parsers that pg has by itself.
  const builtIn = new Client() as TypeParsers

  class TypedClient extends Client {
    constructor(config: ClientConfig = {}) {
      const given = config.types ?? builtIn
      let known: Types | undefined
      const types: TypeParsers = {
        getTypeParser: (oid, format) => parserOf(given, known, oid, format),
      }
      super({ ...config, types })
      const learn = (connection: AskedClient): void => {
        known = undefined
        ask(connection, question, (told) => {
          known = told
        })
      }
      // Two events that pg's types do not know of its clients; the second one gives the connection behind this client.
      const hear: EventEmitter['on'] = this.on.bind(this)
      hear('connect', () => learn(this))
      hear('moved', learn)
    }
  }
  return TypedClient
}
