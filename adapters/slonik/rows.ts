// Rows one by one, each with the fields of its result, as slonik reads a stream of its driver.
import { Transform, type Readable } from 'node:stream'
import type { Field } from './module.js'

/** The class that pg-query-stream exports. */
export type QueryStreamClass = new (text: string, values?: never) => Readable

/** What pg keeps of a result while it comes in. */
interface Result {
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[]
}

export const fieldsOf = ({ fields }: Result): Field[] =>
  fields.map(({ name, dataTypeID }) => ({ name, dataTypeId: dataTypeID }))

export function rowsOf(stream: Readable, wrap: (error: Error) => Error): Readable {
  let fields: Field[] | undefined
  const rows = new Transform({
    objectMode: true,
    transform(row: unknown, _encoding, done) {
      fields ??= fieldsOf((stream as Readable & { _result: Result })._result)
      done(null, { fields, row })
    },
  })
  stream.on('error', (error) => rows.destroy(wrap(error)))
  // The cursor of a stream that nobody reads on is to be closed, or the client would never be free again.
  rows.on('close', () => stream.destroy())
  return stream.pipe(rows)
}
