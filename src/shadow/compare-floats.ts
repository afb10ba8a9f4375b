// Pairs rows that differ in floating-point numbers by no more than is allowed.
import { rowText } from './answer-digest.js'
import { Pace } from './answer-pace.js'
import type { AnswerField, RawRow } from './answer.js'
import { BUILT_IN, canonicalOf, type Canonical } from './canonical.js'

const { float4, float8, point, lseg, path, box, polygon, line, circle } = BUILT_IN
const INEXACT = new Set<number>(
  [float4, float8, point, lseg, path, box, polygon, line, circle].flatMap(({ oid, array }) => [oid, array]),
)
const NUMBER = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/g
/** Beyond this many pairs to look at, those that lie next to each other are paired and no better pairing is sought. */
const MOST_TRIED = 10_000

export const hasFloats = (fields: readonly AnswerField[]): boolean =>
  fields.some(({ type }) => INEXACT.has(type))

/** A row with its floating-point numbers taken out of it. */
interface Loose {
  readonly row: RawRow
  readonly rest: string
  readonly numbers: readonly number[]
}

export class Tolerance {
  readonly #relative: number
  readonly #fields: readonly AnswerField[]

  constructor(relative: number, fields: readonly AnswerField[]) {
    this.#relative = relative
    this.#fields = fields
  }

  accepts(old: RawRow, next: RawRow): boolean {
    const one = this.#loosen(old)
    const other = this.#loosen(next)
    return one.rest === other.rest && this.#near(one, other)
  }

  /** What is left of both when as many as possible are paired. */
  async unpaired(old: readonly RawRow[], next: readonly RawRow[]): Promise<{ old: RawRow[]; new: RawRow[] }> {
    const groups = new Map<string, { old: Loose[]; new: Loose[] }>()
    const pace = new Pace()
    for (const [side, rows] of [['old', old] as const, ['new', next] as const])
      for (const row of rows) {
        const loose = this.#loosen(row)
        const group = groups.get(loose.rest) ?? { old: [], new: [] }
        groups.set(loose.rest, group)
        group[side].push(loose)
        if (pace.isDue()) await pace.turn()
      }
    const left: { old: RawRow[]; new: RawRow[] } = { old: [], new: [] }
    for (const group of groups.values()) {
      const sorted = { old: group.old.toSorted(byNumbers), new: group.new.toSorted(byNumbers) }
      const pairs = this.#pair(sorted.old, sorted.new)
      const paired = new Set(pairs.values())
      left.old.push(...sorted.old.filter((_, i) => !pairs.has(i)).map(({ row }) => row))
      left.new.push(...sorted.new.filter((_, i) => !paired.has(i)).map(({ row }) => row))
    }
    return left
  }

  #loosen(row: RawRow): Loose {
    const numbers: number[] = []
    const canonicals = this.#fields.map((field): Canonical | undefined => {
      const canonical = canonicalOf(field)
      if (!INEXACT.has(field.type) || canonical === undefined) return canonical
      return (raw) =>
        canonical(raw).replace(NUMBER, (digits) => {
          numbers.push(Number(digits))
          return '#'
        })
    })
    return { row, rest: rowText(row, canonicals), numbers }
  }

  #near({ numbers }: Loose, other: Loose): boolean {
    return numbers.every((one, i) => {
      const two = other.numbers[i] ?? Number.NaN
      return Math.abs(one - two) <= this.#relative * Math.max(Math.abs(one), Math.abs(two))
    })
  }

  /** Old index to new index, of rows in the order of their numbers. */
  #pair(old: readonly Loose[], next: readonly Loose[]): ReadonlyMap<number, number> {
    const pairs = this.#pairNeighbours(old, next)
    const all = Math.min(old.length, next.length)
    return pairs.size === all || old.length * next.length > MOST_TRIED ? pairs : this.#pairBest(old, next)
  }

  #pairNeighbours(old: readonly Loose[], next: readonly Loose[]): Map<number, number> {
    const pairs = new Map<number, number>()
    for (let i = 0, j = 0; i < old.length && j < next.length;) {
      const [one, other] = [old[i], next[j]]
      if (one === undefined || other === undefined) break
      if (this.#near(one, other)) pairs.set(i++, j++)
      else if (byNumbers(one, other) < 0) i++
      else j++
    }
    return pairs
  }

  /** Whoever finds none free makes an earlier one look for another. */
  #pairBest(old: readonly Loose[], next: readonly Loose[]): Map<number, number> {
    const takenBy = new Map<number, number>()
    const find = (i: number, seen: Set<number>): boolean =>
      next.some((other, j) => {
        const one = old[i]
        if (one === undefined || seen.has(j) || !this.#near(one, other)) return false
        seen.add(j)
        const before = takenBy.get(j)
        if (before !== undefined && !find(before, seen)) return false
        takenBy.set(j, i)
        return true
      })
    for (let i = 0; i < old.length; i++) find(i, new Set())
    return new Map([...takenBy].map(([j, i]) => [i, j]))
  }
}

function byNumbers({ numbers }: Loose, other: Loose): number {
  for (let i = 0; i < numbers.length; i++) {
    const difference = (numbers[i] ?? 0) - (other.numbers[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
