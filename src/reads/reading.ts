// Walks the tree of one SELECT and notes everything in it that could run a function or make its answer uncertain.
import { isMoving, MOVING_CONSTANT, ORDER_BOUND, SYSTEM_COLUMNS, SYSTEM_TYPES } from './built-ins.js'
import { NODE_FIELDS } from './node-fields.js'
import { inside, kindOf, listOf, nodeOf, sqlNameOf, textOf, wordsOf, type TreeNode } from './parse-tree.js'
import type { SqlName } from './statement.js'

/** Operators behind words that the tree names as words. Any comparison may also use the equality of its type. */
const BEHIND_WORDS: Readonly<Record<string, readonly string[]>> = {
  BETWEEN: ['>=', '<='],
  'NOT BETWEEN': ['<', '>'],
  'BETWEEN SYMMETRIC': ['>=', '<='],
  'NOT BETWEEN SYMMETRIC': ['<', '>'],
}

/** The bit of a window's frame that counts rows, and so depends on the order of equal ones. */
const FRAME_OF_ROWS = 0x4

type Note = (node: TreeNode) => void

export class Reading {
  readonly functions = new Map<string, SqlName>()
  readonly relations = new Map<string, SqlName>()
  readonly operators = new Map<string, SqlName>()
  readonly types = new Map<string, SqlName>()
  readonly attributes = new Set<string>()
  /** Something was found that no read is known to have. */
  strange = false
  volatile = false
  /** Something else than the LIMIT of the whole leaves the server a choice. */
  cutWithin = false
  #withs: ReadonlySet<string> = new Set()
  readonly #top: TreeNode

  constructor(select: TreeNode) {
    this.#top = select
    this.#visit('SelectStmt', select)
  }

  #visit(kind: string, node: TreeNode): void {
    const fields = Object.hasOwn(NODE_FIELDS, kind) ? NODE_FIELDS[kind] : undefined
    if (fields === undefined) {
      this.strange = true
      return
    }
    const outside = this.#withs
    this.#notes[kind]?.(node)
    for (const [field, held] of Object.entries(node)) {
      if (field === 'location') continue
      const rule = Object.hasOwn(fields, field) ? fields[field] : undefined
      if (rule === undefined) this.strange = true
      else if (rule === 'nodes') this.#visitAll(held)
      // The queries of a WITH are visited first of all, before whatever may name them.
      else if (rule !== 'value' && rule !== 'WithClause') this.#visit(rule, nodeOf(held) ?? {})
    }
    this.#withs = outside
  }

  #visitAll(held: unknown): void {
    for (const one of Array.isArray(held) ? held : [held]) {
      const node = nodeOf(one)
      const kind = node && kindOf(node)
      // An empty place: a plain DISTINCT is a list of one.
      if (node === undefined || (kind === undefined && Object.keys(node).length === 0)) continue
      this.#visit(kind ?? '', kind === undefined ? node : (nodeOf(node[kind]) ?? {}))
    }
  }

  readonly #notes: Readonly<Record<string, Note>> = {
    SelectStmt: (node) => {
      const cut = node['limitCount'] !== undefined || node['limitOffset'] !== undefined
      if (cut && node !== this.#top) this.cutWithin = true
      if (listOf(node['distinctClause']).some((one) => kindOf(one) !== undefined)) this.cutWithin = true
      const clause = nodeOf(node['withClause'])
      if (clause !== undefined) this.#visitWith(clause)
    },
    RangeVar: (node) => {
      const name = textOf(node['relname'])
      const schema = textOf(node['schemaname'])
      if (name === undefined) this.strange = true
      else if (schema !== undefined || !this.#withs.has(name)) {
        add(this.relations, { schema, name })
        if (schema === 'information_schema' || schema === 'pg_catalog' || name.startsWith('pg_'))
          this.volatile = true
      }
    },
    RangeTableSample: (node) => {
      this.#called(node['method'])
      this.volatile = true
    },
    FuncCall: (node) => {
      const name = this.#called(node['funcname'])
      const over = nodeOf(node['over'])
      const ordered = node['agg_order'] !== undefined || over?.['orderClause'] !== undefined
      if (name !== undefined && ORDER_BOUND.has(name) && !ordered && node['agg_within_group'] !== true)
        this.cutWithin = true
      // Of one moment it is the time from then until now.
      if (name === 'age' && listOf(node['args']).length === 1) this.volatile = true
    },
    WindowDef: (node) => {
      if (typeof node['frameOptions'] === 'number' && (node['frameOptions'] & FRAME_OF_ROWS) !== 0)
        this.cutWithin = true
    },
    JsonObjectAgg: (node) => this.#jsonAggregate(node),
    JsonArrayAgg: (node) => this.#jsonAggregate(node),
    SQLValueFunction: () => (this.volatile = true),
    A_Expr: (node) => this.#operator(node['name']),
    SubLink: (node) => {
      const type = textOf(node['subLinkType'])
      if (node['operName'] !== undefined) this.#operator(node['operName'])
      else if (type === 'ANY_SUBLINK') add(this.operators, { schema: undefined, name: '=' })
    },
    SortBy: (node) => {
      if (node['useOp'] !== undefined) this.#operator(node['useOp'])
    },
    TypeName: (node) => {
      const name = sqlNameOf(wordsOf(node['names']))
      if (name === undefined) this.strange = true
      else add(this.types, name)
      if (name !== undefined && SYSTEM_TYPES.has(name.name)) this.volatile = true
    },
    ColumnRef: (node) => {
      const words = wordsOf(node['fields'])
      const last = words.at(-1)
      if (last === undefined) return
      if (SYSTEM_COLUMNS.has(last)) this.volatile = true
      if (words.length > 1) this.attributes.add(last)
    },
    A_Indirection: (node) => {
      for (const word of wordsOf(node['indirection'])) if (word !== undefined) this.attributes.add(word)
    },
    A_Const: (node) => {
      const text = textOf(nodeOf(node['sval'])?.['sval'])
      if (text !== undefined && MOVING_CONSTANT.test(text)) this.volatile = true
    },
  }

  #visitWith(clause: TreeNode): void {
    const queries = listOf(clause['ctes'])
    const names = queries.map((one) => textOf(inside(one, 'CommonTableExpr')?.['ctename']) ?? '')
    // Each query sees those before it and, where the clause is recursive, itself and those after it.
    if (clause['recursive'] === true) this.#withs = new Set([...this.#withs, ...names])
    for (const [index, query] of queries.entries()) {
      this.#visitAll(query)
      this.#withs = new Set([...this.#withs, names[index] ?? ''])
    }
  }

  #called(words: unknown): string | undefined {
    const name = sqlNameOf(wordsOf(words))
    if (name === undefined) {
      this.strange = true
      return undefined
    }
    add(this.functions, name)
    if (isMoving(name.name)) this.volatile = true
    return name.name
  }

  #operator(words: unknown): void {
    const name = sqlNameOf(wordsOf(words))
    if (name === undefined) this.strange = true
    else {
      const behind = BEHIND_WORDS[name.name] ?? [name.name]
      for (const one of behind) add(this.operators, { schema: name.schema, name: one })
    }
  }

  #jsonAggregate(node: TreeNode): void {
    const clauses = nodeOf(node['constructor'])
    if (clauses?.['agg_order'] === undefined && nodeOf(clauses?.['over'])?.['orderClause'] === undefined)
      this.cutWithin = true
  }
}

function add(names: Map<string, SqlName>, name: SqlName): void {
  names.set(name.schema === undefined ? name.name : `${name.schema}\0${name.name}`, name)
}
