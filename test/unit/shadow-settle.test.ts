// Why two answers differed: each way the rounds can go, with what the two sides say as a script.
import { expect, it } from 'vitest'
import type { Answer } from '../../src/shadow/answer.js'
import { replyOf, skipped, type Reply } from '../../src/shadow/reply.js'
import { settleDifference, type Kind } from '../../src/shadow/settle-difference.js'

const answer = (text: string): Answer => ({
  fields: [],
  rowCount: text.length,
  bytes: text.length,
  millis: 1,
  rows: Array.from(text, (row) => [row]),
  digests: undefined,
})
const textOf = ({ rows = [] }: Answer): string => rows.flat().join('')
const sorted = (text: string): string => text.split('').toSorted().join('')

function compare(one: Answer, other: Answer): Promise<Kind> {
  const [a, b] = [textOf(one), textOf(other)]
  if (a.startsWith('#') !== b.startsWith('#')) return Promise.resolve('columns')
  return Promise.resolve(a === b ? 'equal' : sorted(a) === sorted(b) ? 'order' : 'other')
}

/** `!42P01` is a refusal, `#ab` has other columns, `?` nothing that can be compared, everything else one row a letter. The last word stays. */
function script(words: string): () => Promise<Reply> {
  const left = words.split(' ')
  return () => {
    const word = (left.length > 1 ? left.shift() : left[0]) ?? ''
    if (word === '?') return Promise.resolve(skipped('unavailable'))
    if (word.startsWith('!'))
      return Promise.resolve(replyOf({ kind: 'failed', code: word.slice(1), reusable: true }))
    return Promise.resolve({ kind: 'answer', answer: answer(word) })
  }
}

/** Who was asked in which sequence: W, P for the mirror, M, and a dash for a pause. */
async function settled(writer: string, other: string, { passes = 9, free = false } = {}) {
  const asked: string[] = []
  const note = <T>(who: string, ask: () => Promise<T>): (() => Promise<T>) => {
    return () => {
      asked.push(who)
      return ask()
    }
  }
  const result = await settleDifference({
    askWriter: note('W', script(writer)),
    askOther: note('M', script(other)),
    passed: (round) => note('P', () => Promise.resolve(round < passes))(),
    pause: note('-', () => Promise.resolve()),
    compare,
    free: () => free,
  })
  return { outcome: 'why' in result ? `skipped ${result.why}` : result.outcome, asked: asked.join('') }
}

it.each([
  ['the mirror has passed', 'ab', 'ab', {}, 'lag', 'WPMW'],
  ['it was read a little later', 'ab abc', 'abc', {}, 'lag', 'WPMW'],
  ['it was read a little earlier, and both go on', 'ab abc', 'ab', {}, 'lag', 'WPMW'],
  ['rows stay different', 'ab', 'ax', {}, 'real', 'WPMW-WPMW-WPMW'],
  ['a row is missing', 'ab', 'a', {}, 'real', 'WPMW-WPMW-WPMW'],
  ['rows come in another order', 'ab', 'ba', {}, 'order', 'WPMW'],
  ['the writer itself gives them in two orders', 'ab ba', 'bac', {}, 'real', 'WPMW-WPMW-WPMW'],
  ['which rows come is left to the server', 'ab', 'cd', { free: true }, 'order', 'WPMW'],
  ['it is refused there', 'ab', '!42P01', {}, 'real', 'WPMW-WPMW-WPMW'],
  ['it is refused there, and the rows are free', 'ab', '!42P01', { free: true }, 'real', 'WPMW-WPMW-WPMW'],
  ['it has other columns, and the rows are free', 'ab', '#ab', { free: true }, 'real', 'WPMW-WPMW-WPMW'],
  ['both refuse it alike', '!22012', '!22012', {}, 'equal', 'WPMW'],
  ['each refuses it in its way', '!22012', '!42883', {}, 'real', 'WPMW-WPMW-WPMW'],
  ['the writer never stands still', 'a b c d e f g h i j', 'x', {}, 'unsettled', 'WPMW-WPMW-WPMW-WPMW-WPMW'],
  ['the writer comes to a rest', 'a b c c c c c c', 'x', {}, 'real', 'WPMW-WPMW-WPMW-WPMW'],
  ['a row goes there and back', 'a a b b a a b b a a', 'b a', {}, 'lag', 'WPMW-WPMW-WPMW'],
  ['a difference that is another each time', 'a', 'b c d e f', {}, 'unsettled', 'WPMW-WPMW-WPMW-WPMW-WPMW'],
  ['the mirror does not pass', 'ab', 'ax', { passes: 0 }, 'unsettled', 'WP'],
  ['the mirror stops passing', 'ab', 'ax', { passes: 1 }, 'unsettled', 'WPMW-WP'],
  ['the writer goes away', '?', 'ax', {}, 'skipped unavailable', 'W'],
  ['the other side goes away', 'ab', 'ax ?', {}, 'skipped unavailable', 'WPMW-WPM'],
  ['the writer goes away in a round', 'ab ?', 'ax', {}, 'skipped unavailable', 'WPMW'],
])('%s', async (_, writer, other, more, outcome, asked) => {
  expect(await settled(writer, other, more)).toEqual({ outcome, asked })
})

it.each([
  ['57014', 'unavailable'],
  ['55P03', 'timeout'],
  ['25006', 'volatile'],
  ['40001', 'unavailable'],
  ['08006', 'unavailable'],
  ['25P03', 'unavailable'],
  ['53300', 'unavailable'],
  ['57P01', 'unavailable'],
  ['58030', 'unavailable'],
  ['ECONNRESET', 'unavailable'],
  [undefined, 'unavailable'],
])('a failure with %s says nothing of the statement', (code, why) => {
  expect(replyOf({ kind: 'failed', code, reusable: true })).toEqual({ kind: 'skipped', why })
})

it.each(['42P01', '42883', '42501', '22012', 'XX000', '0A000'])('a failure with %s does', (code) => {
  expect(replyOf({ kind: 'failed', code, reusable: true })).toEqual({ kind: 'failed', code })
})
