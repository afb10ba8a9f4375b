// One side's schema as far as reads go: what each name may do when it is called, selected from or cast to.
import { isMoving, POPULATING } from './built-ins.js'
import { spread } from './catalog-spread.js'
import { MOVES, WRITES, type Flags } from './flags.js'
import { Slices } from './slices.js'
import type { SqlName, Statement } from './statement.js'

type Named = readonly [schema: string, name: string]
type Flagged = readonly [schema: string, name: string, flags: Flags]
type Identified = readonly [id: string, schema: string, name: string, flags: Flags]
type FunctionRow = readonly [...Identified, body: string | null, ofRow: boolean]

/** What the server gives; a list without rows is null. */
export interface CatalogRows {
  readonly fingerprint: string
  /** Where it is not `on`, a backslash may end a string elsewhere than the parser thinks. */
  readonly standardStrings: string
  readonly builtIns: readonly Flagged[]
  readonly functions: readonly FunctionRow[] | null
  readonly relations: readonly Identified[] | null
  readonly systemRelations: readonly Named[]
  readonly types: readonly Identified[] | null
  readonly rowTypes: readonly (readonly [id: string, ...Named])[] | null
  readonly systemTypes: readonly Named[]
  readonly operators: readonly Identified[] | null
  readonly systemOperators: readonly string[]
  /** What stands on what, by ids. */
  readonly edges: readonly (readonly [above: string, below: string])[] | null
  /** Casts of users; `unseen` are those that leave no trace in a text. */
  readonly casts: readonly (readonly [unseen: boolean, by: string, flags: Flags, target: string])[] | null
  /** Functions that sorting and comparing may call, which no text names. */
  readonly unseen: readonly string[] | null
  /** Columns of unique indexes that have no NULL. */
  readonly keys: readonly (readonly [relation: string, columns: readonly string[]])[] | null
}

/** Flags by name. One that is given without a schema is whatever has this name in any schema. */
class Names {
  readonly #flags = new Map<string, Flags>()

  add(schema: string, name: string, flags: Flags): void {
    for (const key of [name, `${schema}\0${name}`]) this.#flags.set(key, (this.#flags.get(key) ?? 0) | flags)
  }

  /** Undefined if there was none of this name when the catalogs were read. */
  of({ schema, name }: SqlName): Flags | undefined {
    return this.#flags.get(schema === undefined ? name : `${schema}\0${name}`)
  }
}

/** Immutable: a schema that has changed gives another one. */
export class Catalog {
  readonly fingerprint: string
  readonly #functions = new Names()
  readonly #relations = new Names()
  readonly #types = new Names()
  readonly #operators = new Names()
  /** Functions that `row.name` calls. */
  readonly #ofRow = new Map<string, Flags>()
  /** Types whose checks write: one may be written as if it were a function, or a column of what is cast to it. */
  readonly #casting = new Set<string>()
  readonly #keys = new Map<string, (readonly string[])[]>()
  readonly #sameName = new Map<string, string[]>()
  /** Something that no text names may write: nothing can be called a read. */
  #never = false

  private constructor(fingerprint: string) {
    this.fingerprint = fingerprint
  }

  /** A large schema takes a while, in which everything else goes on. */
  static async of(rows: CatalogRows): Promise<Catalog> {
    const catalog = new Catalog(rows.fingerprint)
    const slices = new Slices()
    await catalog.#fill(rows, await spread(rows, slices), slices)
    return catalog
  }

  async #fill(rows: CatalogRows, flags: ReadonlyMap<string, Flags>, slices: Slices): Promise<void> {
    const at = (id: string): Flags => flags.get(id) ?? 0
    const casts = (rows.casts ?? []).map(([unseen, by, own, target]) => ({
      unseen,
      target,
      flags: own | at(by),
    }))
    const writing = casts.filter((cast) => (cast.flags & WRITES) !== 0)
    this.#never =
      rows.standardStrings !== 'on' ||
      writing.some(({ unseen }) => unseen) ||
      (rows.unseen ?? []).some((id) => (at(id) & WRITES) !== 0)
    await slices.each(rows.builtIns, ([schema, name, own]) => this.#functions.add(schema, name, own))
    await slices.each(rows.systemTypes, ([schema, name]) => this.#types.add(schema, name, 0))
    await slices.each(rows.systemRelations, ([schema, name]) => this.#relations.add(schema, name, MOVES))
    await slices.each(rows.systemOperators, (name) => this.#operators.add('pg_catalog', name, 0))
    await slices.each(rows.functions, ([id, schema, name, , , ofRow]) => {
      this.#functions.add(schema, name, at(id))
      if (ofRow) this.#ofRow.set(name, (this.#ofRow.get(name) ?? 0) | at(id))
    })
    await slices.each(rows.relations, ([id, schema, name]) => {
      this.#relations.add(schema, name, at(id))
      for (const key of [name, `${schema}\0${name}`]) push(this.#sameName, key, id)
    })
    for (const types of [rows.types, rows.rowTypes])
      await slices.each<readonly [string, string, string, ...unknown[]]>(types, ([id, schema, name]) =>
        this.#addType(schema, name, at(id)),
      )
    await slices.each(rows.operators, ([id, schema, name]) => this.#operators.add(schema, name, at(id)))
    for (const { target } of writing) this.#types.add('pg_catalog', target, WRITES)
    const doubtful = (rows.types ?? []).some(([id]) => (at(id) & WRITES) !== 0)
    if (doubtful) for (const name of POPULATING) this.#functions.add('pg_catalog', name, WRITES)
    await slices.each(rows.keys, ([id, columns]) => push(this.#keys, id, columns))
  }

  #addType(schema: string, name: string, flags: Flags): void {
    this.#types.add(schema, name, flags)
    if ((flags & WRITES) !== 0) this.#casting.add(name)
  }

  /** Everything that is to be said of a statement that is a read by its text. */
  judge(statement: Statement): Flags {
    let flags = this.#never ? WRITES : 0
    const all = (names: Names, given: readonly SqlName[]): void => {
      for (const one of given) flags |= names.of(one) ?? WRITES
    }
    all(this.#functions, statement.functions)
    all(this.#relations, statement.relations)
    all(this.#types, statement.types)
    all(this.#operators, statement.operators)
    for (const { name } of statement.functions) if (this.#casting.has(name)) flags |= WRITES
    for (const name of statement.attributes)
      flags |= (this.#ofRow.get(name) ?? 0) | (this.#casting.has(name) ? WRITES : 0)
    for (const name of statement.mentions) flags |= this.#anyOf(name)
    return flags
  }

  /** Whether an order by these columns leaves no two rows of the relation equal. */
  isTotal({ schema, name }: SqlName, orderKeys: readonly string[]): boolean {
    const relations = this.#sameName.get(schema === undefined ? name : `${schema}\0${name}`) ?? []
    return (
      relations.length > 0 &&
      relations.every((id) =>
        this.#keys.get(id)?.some((columns) => columns.every((column) => orderKeys.includes(column))),
      )
    )
  }

  #anyOf(name: string): Flags {
    const one = { schema: undefined, name }
    const called = (this.#functions.of(one) ?? 0) & WRITES
    // A table has a type of its name, to which its own name alone casts nothing.
    const named = this.#relations.of(one) ?? this.#types.of(one) ?? 0
    return called | named | (isMoving(name) ? MOVES : 0)
  }
}

function push<T>(lists: Map<string, T[]>, key: string, one: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [one])
  else list.push(one)
}
