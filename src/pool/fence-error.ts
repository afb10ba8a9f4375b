// Recognises the error with which a fence trigger refuses a write, by SQLSTATE, message prefix and migration.

/** SQLSTATE read_only_sql_transaction: what a caller sees who writes to the side that was left. */
export const FENCE_SQLSTATE = '25006'

const prefix = /^pg-cutover fence: migration "((?:[^"]|"")+)" epoch (\d+)/

export interface FenceMessage {
  readonly name: string
  readonly epoch: number
}

/** Reads a fence's refusal out of a database error, or undefined if it is any other error. */
export function readFence(error: unknown): FenceMessage | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (code !== FENCE_SQLSTATE || typeof message !== 'string') return undefined
  const match = prefix.exec(message)
  return match?.[1] === undefined
    ? undefined
    : { name: match[1].replaceAll('""', '"'), epoch: Number(match[2]) }
}
