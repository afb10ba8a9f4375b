// A row on a real server as a subject of the contract, reached through a proxy that can be cut.
import { Client } from 'pg'
import { postgresSource, postgresSourceSql, type Source } from '../../../src/index.js'
import { startProxy } from '../../support/proxy.js'
import { MIGRATION, type SourceSubject } from './subject.js'

const HELD = `select count(*)::int as held from pg_stat_activity
  where datname = current_database() and application_name = 'pg-cutover source'`

export const postgresSubject = (url: string): SourceSubject => ({
  name: 'postgresSource',
  garbage: ['lvie', '', '{ "phase": "live" }', 'live\nnew', 'l'.repeat(100_000)],
  noticesOutage: true,
  async start({ silent } = {}) {
    // What is said needs not survive a crash, and is heard all the same.
    const admin = new Client({ connectionString: url, options: '-c synchronous_commit=off' })
    await admin.connect()
    await admin.query(postgresSourceSql())
    await admin.query('delete from cutover_source.wish')
    const proxy = await startProxy(Number(new URL(url).port))
    const say = async (value: unknown): Promise<void> => {
      await admin.query(
        `insert into cutover_source.wish values ($1, $2) on conflict (name) do update set phase = excluded.phase`,
        [MIGRATION, value],
      )
    }
    if (!silent) await say('old')
    // An hour: what is heard comes by notification.
    const made = (): Source => postgresSource(proxy.url(url), { pollMillis: 3_600_000 })
    return {
      source: made(),
      another: made,
      say,
      async outage() {
        await proxy.refuse()
        proxy.cut()
      },
      async back(value) {
        await say(value)
        await proxy.resume()
      },
      async forget() {
        await admin.query('delete from cutover_source.wish')
      },
      async held() {
        const { rows } = await admin.query<{ held: number }>(HELD)
        return rows[0]?.held ?? 0
      },
      async stop() {
        await proxy.close()
        await admin.end()
      },
    }
  },
})
