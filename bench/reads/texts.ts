// What it costs to know what a text is: seen before, seen for the first time, and kept.
import type { Statements } from '../../src/reads/statements.js'
import { againstItself } from '../against-itself.js'
import { keptBytes } from '../heap.js'
import type { Outcome } from '../outcome.js'

const BATCH = 1_000
export const TEXTS = 10_000
const LENGTHS = [150, 500, 5_000, 30_000] as const
/** Of texts at first sight, half of them for each of two series. */
const BATCHES = 20
const MOST_SAME_NANOS = 100
const MOST_EQUAL_NANOS = 1_000
const MOST_MEGABYTES = 20
const QUERY =
  'select o.id, o.status, sum(i.price * i.quantity) from orders o join items i on i.order_id = o.id'

/** Microseconds of CPU for each of many calls: what others do on the machine meanwhile is not counted. */
function cpuMicros(calls: number, work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / calls
}

/** Built anew from its parts, and flat: a text that comes from a template each time is no string that was seen before. */
const fresh = (text: string): string => Buffer.from(text).toString()

function ofLength(length: number, number: number): string {
  const head = `${QUERY} where o.id in (${number}`
  const tail = ') group by o.id, o.status'
  const more = Math.max(0, Math.round((length - head.length - tail.length) / 7))
  return `${head}${', 12345'.repeat(more)}${tail}`
}

export function seenBefore(statements: Statements, rounds: number) {
  const text = `${QUERY} where o.status = $1 group by o.id, o.status order by o.id limit 20`
  if (!statements.isRead(text, 'old')) throw new Error('the statement of this benchmark is no read')
  let reads = 0
  const same = (): number =>
    1_000 *
    cpuMicros(BATCH * 100, () => {
      for (let call = 0; call < BATCH * 100; call++) if (statements.isRead(text, 'old')) reads++
    })
  const equal = (): number => {
    const copies = Array.from({ length: BATCH * 10 }, () => fresh(text))
    return (
      1_000 *
      cpuMicros(copies.length, () => {
        for (const copy of copies) if (statements.isRead(copy, 'old')) reads++
      })
    )
  }
  const taken = {
    same: [] as number[],
    equal: [] as number[],
    sameAgain: [] as number[],
    equalAgain: [] as number[],
  }
  for (let turn = -rounds / 5; turn < rounds; turn++) {
    const [one, other, otherAgain, oneAgain] = [same(), equal(), equal(), same()]
    if (turn < 0) continue
    taken.same.push(one)
    taken.equal.push(other)
    taken.sameAgain.push(oneAgain)
    taken.equalAgain.push(otherAgain)
  }
  if (reads % BATCH !== 0) throw new Error('a text that was a read is one no more')
  return [
    againstItself('seen before, the same string', 'ns', taken.same, taken.sameAgain, {
      most: MOST_SAME_NANOS,
    }),
    againstItself(
      `seen before, an equal string made anew, ${text.length} letters`,
      'ns',
      taken.equal,
      taken.equalAgain,
      {
        most: MOST_EQUAL_NANOS,
      },
    ),
  ]
}

/** Microseconds a text; half of the batches are what the other half is told against. */
export function firstSight(series: string, statements: Statements, texts: number): Outcome[] {
  return LENGTHS.map((length) => {
    const count = Math.max(BATCHES, Math.ceil((texts * 50) / length))
    const inBatch = Math.ceil(count / BATCHES)
    const batch = (nr: number) =>
      Array.from({ length: inBatch }, (_, number) => ofLength(length, nr * inBatch + number))
    for (const text of batch(0)) statements.isRead(text, 'old')
    const taken: [number[], number[]] = [[], []]
    for (let nr = 1; nr <= BATCHES; nr++) {
      const unseen = batch(nr)
      const micros = cpuMicros(inBatch, () => {
        for (const text of unseen) statements.isRead(text, 'old')
      })
      taken[nr % 2 === 0 ? 0 : 1].push(micros)
    }
    return againstItself(`${series}, ${length.toLocaleString('en')} letters`, 'µs', ...taken, {
      series,
      x: length,
    })
  })
}

/** The heap before and after, for texts that differ as those of an application do: some shapes, many constants. */
export function memory(how: string, make: () => Statements): Outcome {
  const text = (number: number): string =>
    fresh(
      `${QUERY} where o.status = 's${number}' and i.t${number % 500} = $1 group by o.id, o.status having count(*) > ${number}`,
    )
  // All are kept until the last is weighed: one that went meanwhile would be taken off from the weight of the next.
  const kept: Statements[] = []
  const weighed = (): number => {
    const before = keptBytes()
    const statements = make()
    kept.push(statements)
    for (let number = 0; number < TEXTS; number++) statements.of(text(number))
    return (keptBytes() - before) / 1e6
  }
  const [megabytes, again] = [weighed(), weighed()]
  for (const statements of kept) statements.of(text(0))
  const what = `${TEXTS.toLocaleString('en')} distinct texts, ${how}`
  return againstItself(what, 'MB', [megabytes], [again], { most: MOST_MEGABYTES })
}
