// Folds rows into two digests of 128 bits: of the multiset of them, and of their sequence.
import { createHash, hash } from 'node:crypto'
import type { Digests, RawRow } from './answer.js'
import type { Canonical } from './canonical.js'

/** Rows that are hashed into the sequence at once. */
const BATCH = 512
const KEY_DIGITS = 16

/** Different for rows that differ: a value holds no zero byte in any server, and a NULL begins otherwise. */
export function rowText(row: RawRow, canonicals: readonly (Canonical | undefined)[]): string {
  let text = ''
  for (let i = 0; i < row.length; i++) {
    const raw = row[i]
    if (raw === null || raw === undefined) text += '-\0'
    else text += `+${canonicals[i]?.(raw) ?? raw}\0`
  }
  return text
}

/** By which a row is known again and from which it cannot be read, but can be guessed where little is to guess. */
export function rowKey(text: string): string {
  return hash('sha256', text, 'hex').slice(0, KEY_DIGITS)
}

export class RowDigest {
  readonly #canonicals: readonly (Canonical | undefined)[]
  /** The sum of the rows' hashes, least 32 bits first. A sum and no xor: equal rows must not take each other away. */
  readonly #sum = new Uint32Array(4)
  readonly #sequence = createHash('sha256')
  #batch = ''
  #inBatch = 0

  constructor(canonicals: readonly (Canonical | undefined)[]) {
    this.#canonicals = canonicals
  }

  add(row: RawRow): void {
    const digest = hash('sha256', rowText(row, this.#canonicals), 'binary')
    let carry = 0
    for (let lane = 0; lane < 4; lane++) {
      const total = (this.#sum[lane] ?? 0) + laneOf(digest, lane * 4) + carry
      this.#sum[lane] = total
      carry = total > 0xffff_ffff ? 1 : 0
    }
    this.#batch += digest
    if (++this.#inBatch === BATCH) this.#flush()
  }

  /** Nothing may be added afterwards. */
  end(): Digests {
    this.#flush()
    return {
      multiset: Array.from(this.#sum, (lane) => lane.toString(16).padStart(8, '0')).join(''),
      ordered: this.#sequence.digest('hex').slice(0, 32),
    }
  }

  #flush(): void {
    this.#sequence.update(this.#batch, 'binary')
    this.#batch = ''
    this.#inBatch = 0
  }
}

function laneOf(bytes: string, at: number): number {
  return (
    (bytes.charCodeAt(at) |
      (bytes.charCodeAt(at + 1) << 8) |
      (bytes.charCodeAt(at + 2) << 16) |
      (bytes.charCodeAt(at + 3) << 24)) >>>
    0
  )
}
