// What a plan is like: its nodes, with the tables and indexes they read, and nothing of users' values.

/** The shapes of one statement's plans where they differ. */
export interface PlanPair {
  readonly old: string
  readonly new: string
}

const LONGEST = 400

/** The shape of what `explain (format json)` has answered; undefined for anything else. */
export function planShape(json: string): string | undefined {
  let explained: unknown
  try {
    explained = JSON.parse(json)
  } catch {
    return undefined
  }
  const plan = Array.isArray(explained) ? fieldOf(explained[0], 'Plan') : undefined
  return plan === undefined ? undefined : shapeOf(plan)
}

/** Undefined where both plans have the same shape. */
export function planPair(old: string, opened: string): PlanPair | undefined {
  return old === opened ? undefined : { old: short(old), new: short(opened) }
}

function shapeOf(node: unknown): string {
  const word = (key: string): string | undefined => {
    const value = fieldOf(node, key)
    return typeof value === 'string' ? value : undefined
  }
  const index = word('Index Name')
  const relation = word('Relation Name')
  const join = word('Join Type')
  const parts = [
    join === undefined || join === 'Inner' ? undefined : join,
    word('Node Type') ?? '?',
    index,
    relation === undefined ? undefined : `on ${relation}`,
  ].filter((part) => part !== undefined)
  const children = fieldOf(node, 'Plans')
  const below = Array.isArray(children) ? children.map(shapeOf) : []
  return below.length === 0 ? parts.join(' ') : `${parts.join(' ')} (${below.join(', ')})`
}

const short = (shape: string): string => (shape.length > LONGEST ? `${shape.slice(0, LONGEST)}…` : shape)

const fieldOf = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
