// Hears when the other side has answered that it has rows of `item`, without one query more than the relay's own.
import pg from 'pg'

const IDS = /insert into "public"\."item"[^$]*\$r\w*\$\{([^}]*)\}/
// One that the session has planned; what deletes has the keys alone, and so one array.
const PLANNED_IDS = /execute cutover_\w+ \(\s*\$r\w*\$\{([^}]*)\}\$r\w*\$::\w+\[\], /

type Query = (this: pg.Client, ...given: readonly unknown[]) => unknown

/** The rows that a text of the relay writes; undefined for every other text. */
export const idsIn = (text: string): number[] | undefined =>
  (IDS.exec(text) ?? PLANNED_IDS.exec(text))?.[1]?.split(',').map(Number)

/** Tells of every row that a relay of this process has written, from now on until the function that it gives is called. */
export function hearRows(told: (id: number) => void): () => void {
  const usual = Reflect.get(pg.Client.prototype, 'query') as Query
  const heard: Query = function (...given) {
    const answer = Reflect.apply(usual, this, given)
    const text = (Object(given[0]) as { text?: unknown }).text
    const ids = typeof text === 'string' && answer instanceof Promise ? idsIn(text) : undefined
    if (ids !== undefined)
      void (answer as Promise<unknown>).then(
        () => ids.forEach(told),
        // The relay tries it again.
        () => {},
      )
    return answer
  }
  Reflect.set(pg.Client.prototype, 'query', heard)
  return () => void Reflect.set(pg.Client.prototype, 'query', usual)
}
