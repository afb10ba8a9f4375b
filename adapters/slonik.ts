// Slonik over both databases: a driver whose clients go wherever the migration is.
import type { EventEmitter } from 'node:events'
import type { Readable } from 'node:stream'
import type { Cutover } from '../src/index.js'
import { checkCutover, refusal, shown } from './options.js'
import { clientConfig } from './slonik/config.js'
import { slonikError } from './slonik/errors.js'
import { checkSlonik, type DriverConfiguration, type Field, type SlonikModule } from './slonik/module.js'
import { fieldsOf, rowsOf, type QueryStreamClass } from './slonik/rows.js'
import { NamedParsers } from './slonik/named-parsers.js'
import { typedClient } from './typed-client.js'

const WHERE = 'slonikDriver'

/** The answer of a client of pg, of one statement or of several. */
interface Answer {
  readonly command: string
  readonly rowCount: number | null
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[]
}

interface PoolClient {
  connect(): Promise<void>
  end(): Promise<void>
  query(
    sql: string,
    values?: unknown[],
  ): Promise<Omit<Answer, 'fields'> & { readonly fields: readonly Field[] }>
  stream(sql: string, values?: unknown[]): Readable
}

/**
 * The `driverFactory` of a pool of slonik 47, with the application's own package:
 *
 * ```ts
 * const pool = await createPool('postgres://', { driverFactory: slonikDriver(slonik, cutover, QueryStream) })
 * ```
 *
 * The pool and its options stay slonik's, errors and type parsers are those of its own driver. Its clients are of
 * `cutover.Client`: address, user, password and ssl are those of the options `old` and `new`, of the URL only
 * `application_name` and `options` count, and `ssl` of the pool is not looked at. A type parser counts for the type of its
 * name on either side, whatever the OID there is; the type must exist on the side in use when the pool is made. Ranges,
 * for which slonik's own driver has a class, come as text where no type parser names them.
 *
 * `QueryStream` is what `pg-query-stream` exports; without it `stream` rejects with `ERR_OPTION`. Throws `ERR_OPTION` for
 * anything but slonik and a cutover.
 */
export function slonikDriver<Factory>(
  slonik: SlonikModule<Factory>,
  cutover: Cutover,
  QueryStream?: QueryStreamClass,
): Factory {
  checkSlonik(WHERE, slonik)
  checkCutover(WHERE, cutover)
  if (QueryStream !== undefined && typeof QueryStream !== 'function')
    throw refusal(WHERE, `QueryStream is ${shown(QueryStream)}`, 'the class that pg-query-stream exports')

  const setup = async ({ driverConfiguration }: { readonly driverConfiguration: DriverConfiguration }) => {
    const config = clientConfig(slonik, driverConfiguration)
    const types = new NamedParsers(driverConfiguration.typeParsers)
    const Client = typedClient(cutover.Client, types)
    await types.refuseUnknown(new cutover.Client(config))
    return {
      createPoolClient: ({ clientEventEmitter }: { readonly clientEventEmitter: EventEmitter }) =>
        Promise.resolve(poolClient(new Client(config), clientEventEmitter)),
    }
  }

  function poolClient(client: InstanceType<Cutover['Client']>, events: EventEmitter): PoolClient {
    const failed = (error: Error): void => void events.emit('error', slonikError(slonik, error, undefined))
    const noticed = ({ message }: { message?: string | undefined }): void => {
      if (message) events.emit('notice', { message })
    }
    client.on('error', failed)
    client.on('notice', noticed)
    return {
      connect: async () => void (await client.connect()),
      async end() {
        await client.end()
        client.off('error', failed)
        client.off('notice', noticed)
      },
      async query(sql, values) {
        const answer: Answer | Answer[] = await client.query(sql, values).catch((error: Error) => {
          throw slonikError(slonik, error, { sql, values })
        })
        if (Array.isArray(answer))
          throw new slonik.InvalidInputError('Must not use multiple statements in a single query.')
        const { command, rowCount, rows } = answer
        return { command, rowCount, rows, fields: fieldsOf(answer) }
      },
      stream(sql, values) {
        if (QueryStream === undefined)
          throw refusal(WHERE, 'stream was called', 'QueryStream of pg-query-stream as the third argument')
        const stream = new QueryStream(sql, values as never)
        client.query(stream as never)
        return rowsOf(stream, (error) => slonikError(slonik, error, { sql, values }))
      },
    }
  }

  return slonik.createDriverFactory(setup as never)
}
