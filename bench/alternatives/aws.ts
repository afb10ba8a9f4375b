// The AWS wrapper of pg over a plain Postgres, which it is told that it is.
import { AwsPgPoolClient } from 'aws-advanced-nodejs-wrapper/pg'
import { MAX, type Contender } from '../clients/contender.js'
import { packageVersion } from './present.js'

export const version = packageVersion('aws-advanced-nodejs-wrapper')

const READ = 'select id, text from note where id = $1'

/** As small as it can be: its own frame around each call and nothing in it. */
export const without = (url: string): Contender => through(url, { plugins: '' })

/** As a service has it that says nothing of plugins. */
export const withDefaults = (url: string): Contender => through(url, {})

function through(url: string, settings: { readonly plugins?: string }): Contender {
  const to = new URL(url)
  const pool = new AwsPgPoolClient(
    {
      host: to.hostname,
      port: Number(to.port),
      user: to.username,
      password: to.password,
      database: decodeURIComponent(to.pathname.slice(1)),
      dialect: 'pg',
      ...settings,
    },
    {
      maxConnections: MAX,
      idleTimeoutMillis: 10_000,
      allowExitOnIdle: false,
      maxLifetimeSeconds: 0,
      minConnections: 0,
    },
  )
  return {
    // Not by the pool's own query, which leaves a listener behind on the connection at each call and grows dearer for it.
    async ask(id) {
      const connection = await pool.connect()
      try {
        return await connection.query(READ, [id])
      } finally {
        await connection.release()
      }
    },
    close: () => pool.end(),
  }
}
