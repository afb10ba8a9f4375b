// Copies the values of a call, since its caller may change them before they are sent once more.

/** Deeper is no value that anybody sends. */
const DEEPEST = 6
/** Of all values of a call together, since the copying is its caller's time. */
const MOST_PARTS = 10_000
const MOST_BYTES = 1024 * 1024

/** Thrown for what cannot be copied to the same effect. */
class NotCopied extends Error {}

/** Undefined where not all of them can be copied to the same effect. Never throws, whatever they are. */
export function copyValues(values: unknown): readonly unknown[] | undefined {
  if (values === undefined || values === null) return []
  if (!Array.isArray(values)) return undefined
  try {
    return new Copying().array(values, 0)
  } catch {
    return undefined
  }
}

class Copying {
  #parts = 0
  #bytes = 0

  array(values: readonly unknown[], depth: number): readonly unknown[] {
    if (depth >= DEEPEST || values.length > MOST_PARTS) throw new NotCopied()
    return Array.from(values, (value) => this.#copy(value, depth + 1))
  }

  #copy(value: unknown, depth: number): unknown {
    this.#count(value)
    if (typeof value !== 'object' || value === null) {
      if (typeof value === 'function' || typeof value === 'symbol') throw new NotCopied()
      return value
    }
    if (value instanceof Date) return new Date(value)
    if (ArrayBuffer.isView(value)) return this.#copyBytes(value)
    if (Array.isArray(value)) return this.array(value, depth)
    return this.#asJson(value)
  }

  #copyBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
    this.#bytes += byteLength
    this.#refuseMore()
    // A copy of the bytes: Buffer.from of the memory itself would share it.
    return Buffer.from(Buffer.from(buffer, byteOffset, byteLength))
  }

  /** As pg itself sends a plain object. One that says by itself how it is sent is asked once, by its own call. */
  #asJson(value: object): string {
    const prototype: unknown = Object.getPrototypeOf(value)
    if ((prototype !== Object.prototype && prototype !== null) || 'toPostgres' in value || 'toJSON' in value)
      throw new NotCopied()
    return JSON.stringify(value, (_, part: unknown) => {
      this.#count(part)
      return part
    })
  }

  #count(part: unknown): void {
    this.#parts++
    if (typeof part === 'string') this.#bytes += part.length
    this.#refuseMore()
  }

  #refuseMore(): void {
    if (this.#parts > MOST_PARTS || this.#bytes > MOST_BYTES) throw new NotCopied()
  }
}
