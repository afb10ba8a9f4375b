// The subscribing half of a stream; the connection string that it needs is kept out of every message.
import type { Run } from '../control/control-connection.js'
import { quoteIdent, quoteLiteral } from '../control/names.js'
import { CutoverError } from '../errors.js'
import { redact } from './redact.js'
import type { Stream } from './stream.js'

/**
 * Creates the subscription inside the caller's transaction, over a slot that is there already.
 * `copy`: enabled, with the initial copy. `idle`: disabled, every table taken as equal.
 */
export async function createSubscription(
  run: Run,
  stream: Stream,
  kind: 'copy' | 'idle',
  publication = stream.quoted,
): Promise<void> {
  await keepOutOfServerLog(run)
  // Off: streamed or binary changes differ between majors. No disable_on_error: a worker that stops for good after one
  // cut connection would need somebody to notice.
  const shared = `slot_name = ${quoteLiteral(stream.name)}, create_slot = false, streaming = off, binary = false`
  const own = kind === 'copy' ? 'copy_data = true, enabled = true' : 'copy_data = false, enabled = false'
  try {
    await run(`create subscription ${stream.quoted} connection ${quoteLiteral(stream.conninfo)}
      publication ${publication} with (${shared}, ${own})`)
  } catch (error) {
    throw withoutSecret(error, stream)
  }
}

/**
 * Finds out whether the subscription could be created: everything but the slot is done, and undone. Leaves nothing.
 * Needs a connection of its own.
 *
 * To a publication that is never there: that of a way back which was begun once and not made lists a table that is made on
 * the subscriber only with the subscription.
 */
export async function trySubscription(run: Run, stream: Stream): Promise<void> {
  await run('begin')
  try {
    await createSubscription(run, stream, 'idle', quoteIdent(`${stream.name}_trial`))
  } finally {
    await run('rollback')
  }
}

/** Takes up tables that were added to the publication, with their rows. In autocommit: Postgres allows nothing else. */
export async function refreshSubscription(run: Run, stream: Stream): Promise<void> {
  try {
    await run(`alter subscription ${stream.quoted} refresh publication with (copy_data = true)`)
  } catch (error) {
    // It connects too, and says where to.
    throw withoutSecret(error, stream)
  }
}

/** Drops it inside the caller's transaction and leaves the slot, which may be out of reach. */
export async function dropSubscription(run: Run, stream: Stream): Promise<void> {
  await run(`alter subscription ${stream.quoted} disable`)
  await run(`alter subscription ${stream.quoted} set (slot_name = none)`)
  await run(`drop subscription ${stream.quoted}`)
}

// A failing statement is written to the server's log with its text, which holds the password, and so may the message.
// Only a superuser may prevent that.
async function keepOutOfServerLog(run: Run): Promise<void> {
  await run(`select set_config('log_min_error_statement', 'panic', true), set_config('log_min_messages', 'panic', true),
      set_config('log_statement', 'none', true),
      set_config('log_min_duration_statement', '-1', true)
    from pg_roles where rolname = current_user and rolsuper`)
}

/** Neither the statement nor the original error travels on: both can hold the connection string. */
function withoutSecret(error: unknown, stream: Stream): CutoverError {
  const sqlState = error instanceof Error && 'code' in error ? String(error.code) : undefined
  const reason = error instanceof Error ? redact(error.message, stream.conninfo, sqlState) : 'unknown'
  return new CutoverError(
    'ERR_PREPARE',
    `the ${stream.to} server cannot subscribe to the ${stream.from} database: ${reason}`,
    { details: { sqlState, side: stream.to } },
  )
}
