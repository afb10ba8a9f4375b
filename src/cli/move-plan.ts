// What a move between two phases would do, in words: for a dry run, and for the question before it.
import type { Migration } from '../control/migration.js'
import { otherSide, PHASES, writerOf, type Phase } from '../phase/phases.js'

export interface MovePlan {
  readonly from: Phase
  readonly to: Phase
  readonly changesWriter: boolean
  /** The initial copy is made, or taken up again. */
  readonly beginsMirror: boolean
  /** After it nothing is mirrored, so that what is left behind cannot be gone back to, or must be copied anew. */
  readonly endsMirror: boolean
  /** In the order in which it is done. Empty where there is nothing to do. */
  readonly acts: readonly string[]
  /** What a person is asked before it; undefined for what is easily taken back. */
  readonly question: string | undefined
}

export function planOf(m: Migration, from: Phase, to: Phase): MovePlan {
  const changesWriter = writerOf(from) !== writerOf(to)
  const mirrored = m.mirror !== 'none'
  const beginsMirror = mirrored && from === 'old' && to !== 'old'
  const endsMirror = mirrored && PHASES[to].mirroredTo === undefined
  return {
    from,
    to,
    changesWriter,
    beginsMirror,
    endsMirror,
    acts: actsOf(m, { from, to, changesWriter, beginsMirror, endsMirror }),
    question: questionOf(m, { from, to, changesWriter, endsMirror }),
  }
}

type Facts = Omit<MovePlan, 'acts' | 'question'>

function actsOf(m: Migration, { from, to, changesWriter, beginsMirror, endsMirror }: Facts): string[] {
  const left = writerOf(from)
  const opened = otherSide(left)
  const acts: string[] = []
  if (beginsMirror)
    acts.push(
      `fence the new database and mirror the old one to it by ${m.mirror}, with an initial copy of all rows`,
    )
  if (changesWriter) {
    acts.push(
      `have the ${left} database refuse writes, prove that the ${opened} one has every row, and open that one: all within ${m.timings.holdTimeoutMillis.toLocaleString('en')} ms, else nothing changes`,
    )
    if (mirroredBack(m, to)) acts.push(`mirror from the ${opened} database back to the ${left} one`)
  }
  if (from !== to) acts.push(`note the phase "${to}"`)
  if (endsMirror)
    acts.push(
      to === 'new'
        ? 'take away the mirror and with it the way back; the old database goes on refusing writes'
        : 'take away the mirror; a later one begins with a copy of all rows',
    )
  return acts
}

const mirroredBack = (m: Migration, to: Phase): boolean =>
  m.mirror !== 'none' && PHASES[to].mirroredTo !== undefined

function questionOf(
  m: Migration,
  { from, to, changesWriter, endsMirror }: Omit<Facts, 'beginsMirror'>,
): string | undefined {
  const of = `of "${m.name}"`
  const left = writerOf(from)
  const opened = writerOf(to)
  const moves = `Move the writes ${of} from ${left} (${m.control[left].address}) to ${opened} (${m.control[opened].address})`
  if (to === 'new' && from !== 'new') {
    const noReturn =
      'After this there is no way back: what is written from then on is on the new database alone'
    return changesWriter ? `${moves}? ${noReturn}.` : `End the migration ${of}? ${noReturn}.`
  }
  if (changesWriter) return `${moves}, phase "${to}"?`
  if (endsMirror && from !== to) return `Take away the mirror ${of}? Beginning again copies all rows anew.`
  return undefined
}
