// The type parsers of a pool of slonik, which go by name, on connections that give OIDs.
import { ask, type AskedClient, type TypeParsers, type TypeQuestion } from '../typed-client.js'
import type { TypeParser } from './module.js'

type Parser = (value: string) => unknown
type Elements = (array: string) => readonly (string | null)[]

interface Types {
  readonly names: ReadonlySet<string>
  readonly parsers: ReadonlyMap<number, Parser>
}

interface Connecting extends AskedClient {
  connect(): Promise<unknown>
  end(): Promise<void>
  getTypeParser(oid: number, format?: 'text'): unknown
}

const TEXT = 25
const TEXT_ARRAY = 1009

// The driver of slonik has parsers of a later version than pg's: dates, and numbers that a float cannot hold, stay text.
const AS_SLONIK_HAS_IT: Readonly<Record<number, number>> = { 1082: TEXT, 1182: TEXT_ARRAY, 1231: TEXT_ARRAY }

export class NamedParsers {
  readonly question: TypeQuestion<Types>
  readonly #parsers: readonly TypeParser[]
  #elementsOf: Elements = () => []

  constructor(parsers: readonly TypeParser[]) {
    this.#parsers = parsers
    this.question = {
      text: 'select oid, typarray, typname from pg_catalog.pg_type where typname = any ($1::text[])',
      values: [parsers.map(({ name }) => name)],
      read: (rows) => ({
        names: new Set(rows.map(({ typname = '' }) => typname)),
        parsers: new Map(rows.flatMap((row) => this.#of(row))),
      }),
    }
  }

  readonly parserOf = (
    given: TypeParsers,
    types: Types | undefined,
    oid: number,
    format: string | undefined,
  ): unknown => types?.parsers.get(oid) ?? given.getTypeParser(AS_SLONIK_HAS_IT[oid] ?? oid, format)

  /** Rejects where a type is not there, in the words of slonik's own driver. Ends the client. */
  async refuseUnknown(client: Connecting): Promise<void> {
    this.#elementsOf = client.getTypeParser(TEXT_ARRAY, 'text') as Elements
    await client.connect()
    const { names } = await new Promise<Types>((resolve, reject) => {
      ask(client, this.question, resolve, reject)
    })
    await client.end()
    const missing = this.#parsers.find(({ name }) => !names.has(name))
    if (missing) throw new Error(`Database type "${missing.name}" not found.`)
  }

  #of({ typname, oid, typarray }: Readonly<Record<string, string>>): [number, Parser][] {
    const parser = this.#parsers.find(({ name }) => name === typname)
    if (parser === undefined) return []
    const parse: Parser = (value) => parser.parse(value)
    const parseAll: Parser = (value) => this.#elementsOf(value).map((one) => parser.parse(one as string))
    return [
      [Number(oid), parse],
      // 0 where there is no array type.
      [Number(typarray), parseAll],
    ]
  }
}
