// Says why a change of writer is refused: how many compared reads have differed for real, and of which statements.
import { CutoverError } from '../errors.js'
import type { RealElsewhere, RealStatement } from './store.js'

const NAMED = 3
const LONGEST_TEXT = 100
const MOST_DETAILS = 100

/** Undefined where nothing has differed for real, here or in another process. */
export function mismatchRefusal(name: string, ...found: readonly RealElsewhere[]): CutoverError | undefined {
  const real = found.reduce((sum, one) => sum + one.real, 0)
  if (real === 0) return undefined
  const statements = sumOf(found.flatMap((one) => one.statements)).toSorted((a, b) => b.real - a.real)
  const named = statements.slice(0, NAMED).map(describe)
  const more = statements.length - named.length
  return new CutoverError(
    'ERR_MISMATCH',
    `${real} compared ${real === 1 ? 'read of' : 'reads of'} "${name}" differed for real, so the writer was not changed: ` +
      `${named.join('; ')}${more > 0 ? `; and ${more} more statement${more > 1 ? 's' : ''}` : ''}. See cutover.shadow.report() or ` +
      `\`pg-cutover shadow\`; mend what differs and count anew with cutover.shadow.reset(), or go on with ` +
      `advance(phase, { despite: 'mismatches' })`,
    { details: { real, statements: statements.slice(0, MOST_DETAILS) } },
  )
}

function sumOf(statements: readonly RealStatement[]): RealStatement[] {
  const sums = new Map<string, RealStatement>()
  for (const one of statements) {
    const before = sums.get(one.fingerprint)
    sums.set(one.fingerprint, {
      fingerprint: one.fingerprint,
      text: before?.text ?? one.text,
      real: one.real + (before?.real ?? 0),
    })
  }
  return [...sums.values()]
}

function describe({ fingerprint, text, real }: RealStatement): string {
  if (text === undefined) return `${real} of ${fingerprint}`
  const line = text.replaceAll(/\s+/g, ' ')
  return `${real} of ${fingerprint} (${line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT - 1)}…` : line})`
}
