// What came of asking one side, as far as comparing needs it: an answer, a refusal, or nothing that can be compared.
import type { Answer, Asked } from './answer.js'
import type { Skip } from './report.js'

export type Reply =
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** The database refused the statement, with this SQLSTATE. */
  | { readonly kind: 'failed'; readonly code: string }
  | { readonly kind: 'skipped'; readonly why: Skip }

export const skipped = (why: Skip): Reply => ({ kind: 'skipped', why })

/**
 * Errors that say nothing of the statement, by SQLSTATE or its class: the server is away, full or shutting down, or somebody
 * else was in the way.
 */
const NOT_THE_STATEMENT: ReadonlyMap<string, Skip> = new Map([
  // Somebody holds a lock.
  ['55P03', 'timeout'],
  // It wanted to write after all.
  ['25006', 'volatile'],
  // A deadlock, or a standby that has to go on.
  ['40', 'unavailable'],
  ['08', 'unavailable'],
  ['25P', 'unavailable'],
  ['53', 'unavailable'],
  ['57', 'unavailable'],
  ['58', 'unavailable'],
])

export function replyOf(asked: Asked): Reply {
  if (asked.kind === 'answer') return { kind: 'answer', answer: asked.answer }
  if (asked.kind !== 'failed') return skipped(asked.kind)
  const { code } = asked
  // Without an SQLSTATE it is the network.
  if (code === undefined || !/^[0-9A-Z]{5}$/.test(code)) return skipped('unavailable')
  const why = [code, code.slice(0, 3), code.slice(0, 2)]
    .map((one) => NOT_THE_STATEMENT.get(one))
    .find(Boolean)
  return why === undefined ? { kind: 'failed', code } : skipped(why)
}
