// Says of a parsed text what kind of statement it is and, if it may be a read, what it names.
import { orderKeysOf } from './order-keys.js'
import { ownLimitOf } from './own-limit.js'
import { inside, kindOf, listOf, nodeOf, type TreeNode } from './parse-tree.js'
import { Reading } from './reading.js'
import { UNKNOWN, type Statement, type Verdict } from './statement.js'

const PLAIN: ReadonlySet<string> = new Set([
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
])

// They change a session or tell of it, so that they mean something on one connection alone.
const SESSION: ReadonlySet<string> = new Set([
  'VariableSetStmt',
  'VariableShowStmt',
  'ListenStmt',
  'UnlistenStmt',
  'PrepareStmt',
  'DeallocateStmt',
  'DiscardStmt',
  'DeclareCursorStmt',
  'FetchStmt',
  'ClosePortalStmt',
  'LoadStmt',
])

/** `parsed` is what the parser gave. What is not understood is a write. */
export function analyse(parsed: unknown): Statement {
  const [only, ...more] = listOf(nodeOf(parsed)?.['stmts'])
  const statement = nodeOf(only?.['stmt'])
  const kind = statement && kindOf(statement)
  if (statement === undefined || kind === undefined || more.length > 0) return UNKNOWN
  const body = nodeOf(statement[kind]) ?? {}
  if (kind === 'SelectStmt') return { ...readOf(body), plain: true }
  // With ANALYZE it runs what it explains, which is no harm if that only reads.
  const explained = kind === 'ExplainStmt' ? inside(body['query'], 'SelectStmt') : undefined
  if (explained !== undefined)
    return {
      ...readOf(explained),
      volatile: true,
      ordered: true,
      cut: false,
      ownLimit: undefined,
      orderKeys: undefined,
    }
  return { ...UNKNOWN, verdict: otherVerdict(kind, body), plain: PLAIN.has(kind) }
}

function readOf(select: TreeNode): Statement {
  const found = new Reading(select)
  if (found.strange) return UNKNOWN
  const limited = select['limitCount'] !== undefined || select['limitOffset'] !== undefined
  return {
    verdict: 'read',
    plain: false,
    functions: [...found.functions.values()],
    relations: [...found.relations.values()],
    operators: [...found.operators.values()],
    types: [...found.types.values()],
    attributes: [...found.attributes],
    mentions: [],
    volatile: found.volatile,
    ordered: select['sortClause'] !== undefined,
    cut: found.cutWithin || limited,
    ownLimit: limited && !found.cutWithin ? ownLimitOf(select) : undefined,
    orderKeys: found.cutWithin || found.relations.size !== 1 ? undefined : orderKeysOf(select),
  }
}

function otherVerdict(kind: string, body: TreeNode): Verdict {
  if (kind === 'TransactionStmt' || kind === 'ConstraintsSetStmt') return 'transaction'
  // SET TRANSACTION, with or without a snapshot.
  if (kind === 'VariableSetStmt' && String(body['name']).startsWith('TRANSACTION')) return 'transaction'
  return SESSION.has(kind) ? 'session' : 'write'
}
