// Takes what an idle session holds to a new connection on the other side, or says why it cannot be taken there.
import { CutoverError } from '../errors.js'
import type { SessionClient } from './pg-internals.js'
import { readSession, restoreSession, type SessionState } from './session-state.js'

// Statements of the client wait meanwhile, and a side that was left may be on its way out.
const MOVE_MILLIS = 5_000

/**
 * Connects `fresh` and sets it up as `left` is. Rejects with `ERR_SESSION` where that cannot be; then `fresh` is closed
 * and `left` is as it was.
 */
export async function moveSession(
  left: SessionClient,
  fresh: SessionClient,
  named: Iterable<string>,
): Promise<SessionState> {
  fresh.on('error', () => {})
  let timer: NodeJS.Timeout | undefined
  // Either of the two servers may be the one that does not answer.
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it took longer than ${MOVE_MILLIS} ms`)), MOVE_MILLIS)
  })
  try {
    return await Promise.race([takeAlong(left, fresh, named), tooLate])
  } catch (cause) {
    fresh.connection.stream.destroy()
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CutoverError('ERR_SESSION', `a client could not be moved to the other side: ${why}`, { cause })
  } finally {
    clearTimeout(timer)
  }
}

async function takeAlong(
  left: SessionClient,
  fresh: SessionClient,
  named: Iterable<string>,
): Promise<SessionState> {
  const [state] = await Promise.all([readSession(left, named), connected(fresh)])
  if (state.stuck.length > 0)
    throw new Error(`it holds what no other server can have: ${state.stuck.join(', ')}`)
  await restoreSession(fresh, state)
  return state
}

function connected(client: SessionClient): Promise<void> {
  return new Promise((resolve, reject) => {
    client.connect((error?: Error | null) => (error ? reject(error) : resolve()))
  })
}
