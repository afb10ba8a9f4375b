// Tells whether a text is exactly one plain statement, by Postgres' own parser where the optional peer is installed.

type IsOnePlainStatement = (text: string) => boolean

const PLAIN = new Set(['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt'])

// Texts of applications repeat; the few that build each text anew must not grow the memory.
const REMEMBERED_TEXTS = 2_000

/**
 * Loads `libpg-query` if it is installed. The function it resolves to is true for a text that is one SELECT, INSERT,
 * UPDATE, DELETE or MERGE and nothing else: such a statement in autocommit has done nothing when it is refused.
 * Without the parser it is true for nothing, so that nothing is ever run a second time on a guess.
 */
export async function loadOnePlainStatement(): Promise<IsOnePlainStatement> {
  const parser = await import('libpg-query').catch(() => undefined)
  if (parser === undefined) return () => false
  await parser.loadModule()
  const known = new Map<string, boolean>()
  const parse: IsOnePlainStatement = (text) => {
    try {
      const { stmts } = parser.parseSync(text) as { stmts?: readonly { stmt?: object }[] }
      const [only, ...more] = stmts ?? []
      return (
        more.length === 0 &&
        Object.keys(only?.stmt ?? {}).every((kind) => PLAIN.has(kind)) &&
        only !== undefined
      )
    } catch {
      return false
    }
  }
  return (text) => {
    const before = known.get(text)
    if (before !== undefined) return before
    if (known.size >= REMEMBERED_TEXTS) known.clear()
    const plain = parse(text)
    known.set(text, plain)
    return plain
  }
}
