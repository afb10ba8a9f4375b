// Where a connection leads, for messages and status: never a part of its password.
import pg from 'pg'

/** An "@" that comes after what looks like a port, with none before it: host and port are then user and password. */
const UNESCAPED_PASSWORD = /^[a-z]+:\/\/[^@/?#]*:[^@/?#]*[/?#].*@/is

export type Address =
  | { readonly shown: string }
  /** It cannot be read, or a secret might stand in its place. */
  | { readonly fault: string; readonly expected: string }

/** Host, port and database of a config, as pg would take them. */
export function addressOf(config: pg.ClientConfig): Address {
  let target: pg.Client
  try {
    target = new pg.Client({ ...config, password: '' })
  } catch (error) {
    // Without its message, which may hold the text. The code tells a missing certificate from a wrong URL.
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
    return { fault: `cannot be read${code}`, expected: 'postgres://user:password@host:port/database' }
  }
  const { connectionString } = config
  const shown = `${target.host}:${target.port}/${target.database ?? ''}`
  if (shown.includes('@') || (connectionString !== undefined && UNESCAPED_PASSWORD.test(connectionString)))
    return {
      fault: 'has an "@" where none can be',
      expected: 'a password with %40 for "@", %2F for "/", %3F for "?" and %23 for "#"',
    }
  return { shown }
}
