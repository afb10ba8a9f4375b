// What is said to PgBouncer in its files, and what is read out of its answers.

/** The one database that it serves, by the name that clients know. */
export const DATABASE = 'bench'

/** Of clients and of the admin console. */
export const USER = 'bench'

export interface BouncerConfig {
  readonly port: number
  /** The server connections that it may open, and so the writes that may be under way. */
  readonly connections: number
  readonly usersFile: string
  /** Where the database is now. */
  readonly url: string
}

/**
 * Its file. Transaction mode, as where a service has many more clients than connections. It waits a tenth of a second, and
 * not fifteen, after a failed login: a client that is paused in the middle of one would otherwise add all of that.
 */
export function configOf({ port, connections, usersFile, url }: BouncerConfig): string {
  const to = new URL(url)
  const place = {
    host: to.hostname,
    port: to.port,
    dbname: decodeURIComponent(to.pathname.slice(1)),
    user: decodeURIComponent(to.username),
    password: decodeURIComponent(to.password),
  }
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'scram-sha-256',
    auth_file: usersFile,
    admin_users: USER,
    pool_mode: 'transaction',
    default_pool_size: connections,
    max_client_conn: 10 * connections,
    server_login_retry: 0.1,
    log_connections: 0,
    log_disconnections: 0,
  }
  const words = Object.entries(place).map(([key, value]) => `${key}='${value.replaceAll("'", "''")}'`)
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}`.trimEnd())
  return ['[databases]', `${DATABASE} = ${words.join(' ')}`, '[pgbouncer]', ...lines, ''].join('\n')
}

/** The file of its users. */
export const usersOf = (password: string): string => `"${USER}" "${password}"\n`

/** From what `pgbouncer --version` prints. */
export function versionOf(printed: string): string {
  const version = /^PgBouncer (\d[^\s]*)/m.exec(printed)?.[1]
  if (version === undefined) throw new Error(`expected a version of PgBouncer, got "${printed.trim()}"`)
  return version
}

export interface Lead {
  readonly port: number
  readonly paused: boolean
}

/** Where a database leads, from the rows of `SHOW DATABASES`. */
export function leadOf(rows: readonly Readonly<Record<string, unknown>>[], database = DATABASE): Lead {
  const row = rows.find(({ name }) => name === database)
  const port = Number(row?.['port'])
  if (!row || !Number.isInteger(port))
    throw new Error(`expected the port of "${database}", got ${JSON.stringify(rows)}`)
  return { port, paused: Number(row['paused']) === 1 }
}
