// The options of the source in a Postgres table: what is refused, and that no message shows a part of a connection.
import { Pool } from 'pg'
import { describe, expect, it } from 'vitest'
import { postgresSource, postgresSourceSql, type PostgresSourceOptions } from '../../src/index.js'

describe('options', () => {
  it.each([
    ['', {}, 'connection is a string of another form; expected one that begins with postgres://'],
    ['host=db password=hunter2', {}, 'connection is a string of another form'],
    [
      'postgres://app:hunter2/5x@db',
      {},
      'connection cannot be read (ERR_INVALID_URL); expected postgres://user',
    ],
    ['postgres://db?sslrootcert=/gone/hunter2', {}, 'connection cannot be read (ENOENT)'],
    ['postgres://app:a@b/hunter2@db/app', {}, 'a password with %40 for "@"'],
    ['postgres://app:5432#hunter2@db/app', {}, '%23 for "#"'],
    ['postgres://app:5432?hunter2@db/app', {}, '%3F for "?"'],
    ['postgres://app:5432/hunter2@db/app', {}, '%2F for "/"'],
    [{}, {}, 'connection is an empty object; expected a connection string or a pg.ClientConfig'],
    [{ connectionString: 'hunter2' }, {}, 'connection is a string of another form'],
    [undefined, {}, 'connection is undefined'],
    [new Pool(), {}, 'connection is an object of class BoundPool'],
    ['postgres://db', { pollMilis: 10 }, 'pollMilis is no option; did you mean pollMillis?'],
    ['postgres://db', { pollMillis: 1 }, 'pollMillis is 1; expected a whole number of milliseconds'],
    [
      'postgres://db',
      { connectTimeoutMillis: 60_001 },
      'expected a whole number of milliseconds from 10 to 60,000',
    ],
    ['postgres://db', { table: 'wish' }, 'table is "wish"; expected "schema.table"'],
  ])('refuses %o with %o', (connection, options, message) => {
    const make = (): unknown => postgresSource(connection as string, options as PostgresSourceOptions)
    expect(make).toThrow(message)
    expect(make).not.toThrow(/hunter2/)
  })

  it('refuses a table without a schema in the SQL too', () => {
    expect(() => postgresSourceSql('wish')).toThrow(/table is "wish"; expected "schema.table"/)
  })
})
