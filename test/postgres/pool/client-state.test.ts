// State of a session on a client of the facade's own pool: it keeps a move from happening while the client is out, and is
// gone with the connection afterwards, as with any pool.
import { expect, it } from 'vitest'
import { atRest, flip, reasonOf, sides, type Driven } from './fixture.js'

const { drive } = await sides()

interface State {
  readonly make: string
  /** A query whose row is the same for a session without the state. */
  readonly look: string
  readonly held: unknown
  readonly without: unknown
}

const states: readonly (readonly [string, State])[] = [
  [
    'SET without LOCAL',
    {
      make: `set app.tenant = 'seven'`,
      look: `select current_setting('app.tenant', true) as it`,
      held: 'seven',
      without: null,
    },
  ],
  [
    'a temporary table',
    {
      make: 'create temporary table mine (id int)',
      look: `select to_regclass('mine')::text as it`,
      held: 'mine',
      without: null,
    },
  ],
  [
    'an advisory lock',
    {
      make: 'select pg_advisory_lock(7)',
      look: `select count(*)::int as it from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()`,
      held: 1,
      without: 0,
    },
  ],
  [
    'PREPARE',
    {
      make: 'prepare mine as select 1',
      look: `select count(*)::int as it from pg_prepared_statements where from_sql`,
      held: 1,
      without: 0,
    },
  ],
  [
    'a cursor WITH HOLD',
    {
      make: 'declare mine cursor with hold for select 1',
      look: `select count(*)::int as it from pg_cursors where is_holdable`,
      held: 1,
      without: 0,
    },
  ],
  [
    'LISTEN',
    {
      make: 'listen mine',
      look: `select count(*)::int as it from pg_listening_channels()`,
      held: 1,
      without: 0,
    },
  ],
]

/** One client out with the state in its session, idle and outside a transaction. */
async function leased({ pool }: Driven, { make }: State) {
  const client = await pool.connect()
  await client.query(make)
  return client
}

it.each(states)(
  '%s on a client that is out: the move is given up, and the state is kept',
  async (_, state) => {
    const driven = drive()
    const client = await leased(driven, state)
    const reason = await reasonOf(flip(driven.core, 'new', 1))
    expect(reason).toMatchObject({
      code: 'ERR_DRAIN_TIMEOUT',
      details: { leases: [{ side: 'old', inTransaction: false, lastStatement: state.make }] },
    })
    if (state.make.startsWith('listen')) expect(reason.message).toContain('cutover.listen')
    driven.core.release('old')
    expect((await client.query(state.look)).rows).toEqual([{ it: state.held }])
    client.release()
  },
)

it.each(states)('%s on a client that was given back: gone after the move', async (_, state) => {
  const driven = drive({ max: 1 })
  const client = await leased(driven, state)
  client.release()
  expect((await driven.pool.query(state.look)).rows).toEqual([{ it: state.held }])
  await flip(driven.core, 'new')
  await atRest(driven)
  await driven.core.sweep('old')
  expect((await driven.pool.query(state.look)).rows).toEqual([{ it: state.without }])
})
