// Makes texts that nobody would write: built from fragments, or cut and put together again from those of the table.
import { seededRandom } from '../../support/seeded-random.js'

const CALLS = [
  "nextval('s')",
  "setval('s', 3)",
  'pg_advisory_lock(1)',
  'pg_try_advisory_lock(2, 3)',
  "pg_notify('x', 'y')",
  "set_config('work_mem', '1MB', false)",
  'writing_f(1)',
  'sneaky_f(2)',
  'sneaky_locks()',
  'notifying_f()',
  'default_f()',
  'safe_there(1)',
  'stable_f(1)',
  'immutable_f(2)',
  'other.safe_there(1)',
  'count(*)',
  'max(a)',
  'steady_sum(a)',
  'writing_sum(a)',
  'now()',
  'random()',
  'lower(b)',
  'coalesce(a, id)',
  'to_jsonb(x)',
  'takes_email(b)',
  'of_row(x)',
]
const COLUMNS = [
  'a',
  'id',
  'b',
  'x.a',
  'x.of_row',
  '(x).id',
  '(x).of_row',
  'x.steady_of_row',
  '*',
  'x.*',
  't',
  'x',
  'j',
  '"a"',
]
const RELATIONS = [
  't',
  'u',
  'public.t',
  'other.t',
  'safe_v',
  'seq_v',
  'over_v',
  'fn_v',
  'op_v',
  'lock_v',
  'now_v',
  'cut_v',
  'guarded',
  'guarded_well',
  'shared_name',
  'half_abroad',
  'writing_set()',
  'generate_series(1, 2)',
  'stable_set(3)',
  'stored_v',
  'w',
]
const OPERATORS = [
  '+',
  '=',
  '<',
  '||',
  '@+@',
  '###',
  'and',
  'or',
  'is distinct from',
  'operator(public.@+@)',
  'in',
  'like',
]
const TYPES = [
  'text',
  'int',
  'email',
  'positive',
  'pair',
  'plain_pair',
  'mood',
  'public.email',
  'numeric(10, 2)',
]
const ENDS = [
  '',
  '',
  '',
  '',
  ';',
  ' limit 2',
  ' for update',
  ' for share of x',
  ' order by 1',
  ' offset 0',
  ' fetch first row only',
  ' -- x',
  "; notify x, 'y'",
]
const JOINTS = [' ', ' /* x */ ', '\n', ' --\n', '']

export class RandomStatements {
  readonly #random: () => number
  readonly #seen: readonly string[]

  constructor(seed: number, seen: readonly string[]) {
    this.#random = seededRandom(seed)
    this.#seen = seen
  }

  next(): string {
    return this.#chance(0.5) ? this.#select(2) : this.#mutated()
  }

  #chance(share: number): boolean {
    return this.#random() < share
  }

  #pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.#random() * of.length)] as T
  }

  #select(depth: number): string {
    const withs = this.#chance(0.2)
      ? `with w as (${this.#chance(0.1) ? 'delete from u returning id' : this.#select(0)}) `
      : ''
    const distinct = this.#chance(0.1) ? this.#pick(['distinct ', 'distinct on (a) ', 'all ']) : ''
    const into = this.#chance(0.03) ? ' into made' : ''
    const from = this.#chance(0.9) ? ` from ${this.#from(depth)}` : ''
    const where = this.#chance(0.4) ? ` where ${this.#expression(depth)}` : ''
    const group = this.#chance(0.1) ? ' group by a, id, b' : ''
    const more =
      this.#chance(0.1) && depth > 0
        ? ` ${this.#pick(['union', 'except all', 'intersect'])} ${this.#select(0)}`
        : ''
    return `${withs}select ${distinct}${this.#expression(depth)}${into}${from}${where}${group}${more}${this.#pick(ENDS)}`
  }

  #from(depth: number): string {
    const first =
      depth > 0 && this.#chance(0.2) ? `(${this.#select(depth - 1)}) x` : `${this.#pick(RELATIONS)} x`
    return this.#chance(0.2)
      ? `${first} ${this.#pick([',', 'natural join', 'cross join', 'left join lateral'])} ${this.#pick(RELATIONS)} y`
      : first
  }

  #expression(depth: number): string {
    const kind = Math.floor(this.#random() * (depth > 0 ? 10 : 5))
    if (kind < 2) return this.#disguised(this.#pick(CALLS))
    if (kind < 4) return this.#pick(COLUMNS)
    if (kind === 4)
      return this.#pick(["'x'", '1', 'null', "$$nextval('s')$$", "E'\\''", '"id"', "'now'", '-1'])
    const inner = this.#expression(depth - 1)
    if (kind < 7) return `${inner} ${this.#pick(OPERATORS)} ${this.#expression(depth - 1)}`
    if (kind === 7)
      return `${this.#pick(['cast(', ''])}${inner}${this.#pick([' as ', '::'])}${this.#pick(TYPES)}${this.#pick([')', ''])}`
    if (kind === 8) return `(${this.#select(depth - 1)})`
    return `case when ${inner} then ${this.#expression(depth - 1)} end`
  }

  /** The same call as it may be spelled. */
  #disguised(call: string): string {
    const [name = '', rest = ''] = call.split(/(?=\()/, 2)
    if (name.includes('.') || this.#chance(0.5)) return call
    const ways = [
      `${name.toUpperCase()}${rest}`,
      `"${name}"${rest}`,
      `pg_catalog.${name}${rest}`,
      `public . ${name}${rest}`,
      `${name}${this.#pick(JOINTS)}${rest}`,
      `U&"\\00${name.charCodeAt(0).toString(16)}${name.slice(1)}"${rest}`,
    ]
    return this.#pick(ways)
  }

  #mutated(): string {
    const words = this.#pick(this.#seen).split(/(?<=[\s(),.;])|(?=[\s(),.;])/)
    const others = this.#pick(this.#seen).split(/(?<=[\s(),.;])|(?=[\s(),.;])/)
    const at = Math.floor(this.#random() * words.length)
    const from = Math.floor(this.#random() * others.length)
    const count = 1 + Math.floor(this.#random() * 4)
    const ways: readonly (() => string[])[] = [
      () => words.toSpliced(at, count),
      () => words.toSpliced(at, 0, ...others.slice(from, from + count)),
      () => words.toSpliced(at, count, ...others.slice(from)),
      () => [...words.slice(0, at), ...others.slice(from)],
      () =>
        words.toSpliced(
          at,
          0,
          this.#pick([' /*', '*/ ', "'", '"', '$$', '--', '\\', '\n', '(', ')', ' into ', 'E']),
        ),
      () => words.toSpliced(at, 1, this.#disguised(this.#pick(CALLS))),
      () => words.map((word) => (this.#chance(0.3) ? word.toUpperCase() : word)),
    ]
    return this.#pick(ways)().join('')
  }
}
