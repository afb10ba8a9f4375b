// What a side has said of its catalogs, put together from the parts that it came in.
import type { CatalogRows } from './catalog.js'
import { Slices } from './slices.js'

/** Parses the parts in turns of their own. A list of which no part came has no rows. */
export async function catalogRowsOf(
  rows: readonly Readonly<Record<string, unknown>>[],
): Promise<CatalogRows> {
  const lists: Record<string, unknown> = {}
  const slices = new Slices()
  await slices.each(rows, ({ list, part }) => {
    const name = String(list)
    const given: unknown = typeof part === 'string' ? JSON.parse(part) : null
    const before = lists[name]
    if (Array.isArray(before) && Array.isArray(given)) for (const one of given) before.push(one)
    else lists[name] = given
  })
  return lists as unknown as CatalogRows
}
