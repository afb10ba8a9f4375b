// Sessions of express in Postgres, over the facade: who is logged in stays logged in through a move.
import connectPgSimple from 'connect-pg-simple'
import session from 'express-session'
import type { Cutover } from '../src/index.js'

const DAY_MILLIS = 24 * 60 * 60 * 1_000

/** `app.use(sessions.handler)`. The table is made on both databases beforehand, so createTableIfMissing stays off. */
export function openSessions(cutover: Cutover, secret: string, pruneSeconds = 15 * 60) {
  const pool = cutover.createPool()
  const PgStore = connectPgSimple(session)
  const store = new PgStore({ pool, pruneSessionInterval: pruneSeconds })
  return {
    handler: session({
      store,
      secret,
      resave: false,
      saveUninitialized: false,
      cookie: { maxAge: 30 * DAY_MILLIS },
    }),
    /** At shutdown, once no request is under way. */
    async close() {
      // The store only stops to prune; the pool was given to it, so it is left to whoever made it.
      await store.close()
      await pool.end()
    },
  }
}
