// Copies the values of a call, since its caller may change them before they are sent once more.

/** Deeper is no value that anybody sends. */
const DEEPEST = 6
const MOST_ELEMENTS = 10_000
const MOST_BYTES = 1024 * 1024

const NOT_COPIED = Symbol('not copied')

/** Undefined where not all of them can be copied to the same effect. */
export function copyValues(values: unknown): readonly unknown[] | undefined {
  if (values === undefined || values === null) return []
  if (!Array.isArray(values)) return undefined
  const copied = copy(values, 0)
  return Array.isArray(copied) ? copied : undefined
}

function copy(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null)
    return typeof value === 'function' || typeof value === 'symbol' ? NOT_COPIED : value
  if (value instanceof Date) return new Date(value)
  if (ArrayBuffer.isView(value)) return copyBytes(value)
  if (Array.isArray(value)) return copyArray(value, depth)
  return asJson(value)
}

function copyBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): unknown {
  // A copy of the bytes: Buffer.from of the memory itself would share it.
  return byteLength > MOST_BYTES ? NOT_COPIED : Buffer.from(Buffer.from(buffer, byteOffset, byteLength))
}

function copyArray(values: readonly unknown[], depth: number): unknown {
  if (depth >= DEEPEST || values.length > MOST_ELEMENTS) return NOT_COPIED
  const copied: unknown[] = []
  for (const value of values) {
    const one = copy(value, depth + 1)
    if (one === NOT_COPIED) return NOT_COPIED
    copied.push(one)
  }
  return copied
}

/** As pg itself sends a plain object. One that says by itself how it is sent is asked once, by its own call. */
function asJson(value: object): unknown {
  const prototype: unknown = Object.getPrototypeOf(value)
  if ((prototype !== Object.prototype && prototype !== null) || 'toPostgres' in value || 'toJSON' in value)
    return NOT_COPIED
  try {
    const json = JSON.stringify(value)
    return json.length > MOST_BYTES ? NOT_COPIED : json
  } catch {
    return NOT_COPIED
  }
}
