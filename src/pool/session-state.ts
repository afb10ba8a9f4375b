// What a session holds on its server, asked of the server itself, and how it is set up anew on another one.
import pg from 'pg'
import type { SessionClient } from './pg-internals.js'

interface Setting {
  readonly name: string
  readonly value: string
}

/** The state of one session outside a transaction. */
export interface SessionState {
  readonly settings: readonly Setting[]
  /** SET SESSION AUTHORIZATION and SET ROLE, in this order. */
  readonly identity: readonly Setting[]
  readonly channels: readonly string[]
  /** The texts of SQL-level PREPARE. */
  readonly prepared: readonly string[]
  /** What no other server can have, in words. */
  readonly stuck: readonly string[]
}

// The three of a transaction come from its beginning, and `seed` cannot be read. Outside a transaction a cursor that is
// there is WITH HOLD, but for the portal of this very question. Parameters with a dot are in no list of the server's, so
// their names are given.
const QUESTION = `select pg_catalog.json_build_object(
  'settings', (select coalesce(json_agg(json_build_object('name', name, 'value', setting)), '[]') from (
     select name, setting from pg_catalog.pg_settings
      where source = 'session'
        and name not in ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable', 'seed')
     union
     select name, pg_catalog.current_setting(name, true) from pg_catalog.unnest($1::text[]) name
      where pg_catalog.current_setting(name, true) is not null) s),
  'reauthorized', (select usename <> session_user from pg_catalog.pg_stat_activity
                    where pid = pg_catalog.pg_backend_pid()),
  'authorization', session_user, 'role', pg_catalog.current_setting('role'),
  'channels', array(select pg_catalog.pg_listening_channels()),
  'prepared', (select coalesce(json_agg(json_build_object('name', name, 'text', statement)), '[]')
                 from pg_catalog.pg_prepared_statements where from_sql),
  'stuck',
    array(select pg_catalog.format('temporary table "%s"', relname) from pg_catalog.pg_class
           where relnamespace = pg_catalog.pg_my_temp_schema() and relkind in ('r', 'p', 'v', 'S')
          union all
          select pg_catalog.format('temporary function "%s"', proname) from pg_catalog.pg_proc
           where pronamespace = pg_catalog.pg_my_temp_schema()
          union all
          select pg_catalog.format('cursor "%s" WITH HOLD', name) from pg_catalog.pg_cursors where is_holdable
          union all
          select 'advisory lock ' || case objsubid
                   when 1 then ((classid::bigint << 32) | objid::bigint)::text
                   else pg_catalog.format('(%s, %s)', classid::bigint, objid::bigint) end
            from pg_catalog.pg_locks
           where locktype = 'advisory' and granted and pid = pg_catalog.pg_backend_pid()))::text as held`

interface Answer extends Pick<SessionState, 'settings' | 'channels' | 'stuck'> {
  readonly prepared: readonly { readonly name: string; readonly text: string }[]
  readonly reauthorized: boolean | null
  readonly authorization: string
  readonly role: string
}

// The application's own parsers, even those of pg.types, are for its own values.
const asTheyAre = { getTypeParser: () => (value: string) => value }

// The server remembers the whole text that a PREPARE came in, and the rest of it must not run again.
const ONE_PREPARE = /^\s*prepare\s[^;]*;?\s*$/i

/** Asks the server of a session that is idle and in no transaction. `named` are parameters with a dot in their names. */
export async function readSession(client: SessionClient, named: Iterable<string>): Promise<SessionState> {
  const question = { text: QUESTION, values: [[...named]], types: asTheyAre }
  const { rows } = (await client.query(question)) as { readonly rows: readonly { readonly held: string }[] }
  const answer = JSON.parse(rows[0]?.held ?? '') as Answer
  const { settings, channels, prepared, stuck, reauthorized, authorization, role } = answer
  const identity: Setting[] = []
  if (reauthorized === true) identity.push({ name: 'session_authorization', value: authorization })
  if (role !== 'none') identity.push({ name: 'role', value: role })
  const mixed = prepared.filter(({ text }) => !ONE_PREPARE.test(text))
  return {
    settings,
    identity,
    channels,
    prepared: prepared.map(({ text }) => text),
    stuck: [
      ...stuck,
      ...mixed.map(({ name }) => `statement "${name}" prepared in a text with other statements`),
    ],
  }
}

/** Sets a new session up as the other one was; rejects where it cannot be, with the server's error if that tells no value. */
export async function restoreSession(client: SessionClient, state: SessionState): Promise<void> {
  // A role may be allowed less than the settings need, and names in prepared statements are looked up by the path.
  await setAll(client, state.settings).catch((error: Error) => {
    throw withoutValues(error, state.settings)
  })
  for (const text of state.prepared) await client.query(text)
  for (const channel of state.channels) await client.query(`listen ${pg.escapeIdentifier(channel)}`)
  await setAll(client, state.identity)
}

async function setAll(client: SessionClient, settings: readonly Setting[]): Promise<void> {
  if (settings.length === 0) return
  const calls = settings.map((_, at) => `pg_catalog.set_config($${2 * at + 1}, $${2 * at + 2}, false)`)
  await client.query(
    `select ${calls.join(', ')}`,
    settings.flatMap(({ name, value }) => [name, value]),
  )
}

/** The server quotes a value that it refuses, which may be a secret of the application, such as a key or a tenant. */
function withoutValues(error: Error, settings: readonly Setting[]): Error {
  const { code, severity } = error as Error & { readonly code?: string; readonly severity?: string }
  if (severity === undefined) return error
  const named = settings
    .filter(({ name }) => error.message.includes(`"${name}"`))
    .map(({ name }) => `"${name}"`)
  const which = named.length > 0 ? `the setting ${named.join(' or ')}` : 'a setting'
  return new Error(`the server there refuses ${which} of its session (SQLSTATE ${code})`)
}
