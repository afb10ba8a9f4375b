// Whether a call was a read or a write, as the server has named it or, where it failed, by its text's first word.

export type Operation = 'read' | 'write'

// What is not here is no traffic to measure: transactions, settings, locks, changes of the schema.
const BY_COMMAND: ReadonlyMap<string, Operation> = new Map([
  ['SELECT', 'read'],
  ['VALUES', 'read'],
  ['TABLE', 'read'],
  ['FETCH', 'read'],
  ['INSERT', 'write'],
  ['UPDATE', 'write'],
  ['DELETE', 'write'],
  ['MERGE', 'write'],
  ['COPY', 'write'],
  ['TRUNCATE', 'write'],
  ['CALL', 'write'],
  ['DO', 'write'],
])

// Spaces, comments (nested ones up to the first end) and opening brackets may come before the first word. Each of them can
// be read in one way only, so that no text takes long to be refused.
const FIRST_WORD = /^(?:[\s(]|--[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*\*\/)*([a-z]+)/i
const WRITES_WITHIN = /\b(?:insert|update|delete|merge)\b/i

/**
 * `given` is what `pool.query` was given first, `result` what pg gave back: the command it names, or those of the several
 * statements of one text, of which one write makes a write. Without a result the text alone is looked at, roughly.
 * A `select` of a function that writes is a read here, and so is `select … into`. Undefined for what is neither.
 */
export function operationOf(given: unknown, result: unknown): Operation | undefined {
  if (result === undefined) return byText(given)
  const all = (Array.isArray(result) ? result : [result]).map((one) => BY_COMMAND.get(commandOf(one)))
  if (all.includes('write')) return 'write'
  if (!all.includes('read')) return undefined
  // The server names the statement around it, whatever a `with` has written.
  return byText(given) === 'write' ? 'write' : 'read'
}

function byText(given: unknown): Operation | undefined {
  const text = typeof given === 'string' ? given : fieldOf(given, 'text')
  if (typeof text !== 'string') return undefined
  const word = FIRST_WORD.exec(text)?.[1]?.toUpperCase()
  if (word === 'WITH') return WRITES_WITHIN.test(text) ? 'write' : 'read'
  return BY_COMMAND.get(word ?? '')
}

function commandOf(result: unknown): string {
  const command = fieldOf(result, 'command')
  return typeof command === 'string' ? command : ''
}

const fieldOf = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
