// What is told of two replies that differ: a sentence, the rows' digests, and their values only where they were asked for.
import { compareAnswers, type Comparison, type CompareOptions } from './compare.js'
import type { Answer } from './answer.js'
import type { Side } from '../phase/phases.js'
import type { Reply } from './reply.js'
import type { Mismatch } from './report.js'
import type { Kind } from './settle-difference.js'

export type Told = Omit<Mismatch, 'fingerprint' | 'outcome' | 'at'>

export const kindOfComparison = ({ kind }: Comparison): Kind =>
  kind === 'equal' || kind === 'order' || kind === 'columns' ? kind : 'other'

export async function tellDifference(
  replies: Readonly<Record<Side, Reply>>,
  options: CompareOptions,
  withValues: boolean,
): Promise<Told> {
  const { old, new: opened } = replies
  if (old.kind !== 'answer' || opened.kind !== 'answer') return { detail: refusal(replies), keys: NO_KEYS }
  const found = await compareAnswers(old.answer, opened.answer, options)
  if (found.kind === 'equal') return { detail: 'both sides have the same rows by now', keys: NO_KEYS }
  if (found.kind !== 'rows') return { detail: found.detail, keys: NO_KEYS }
  return {
    detail: found.detail,
    keys: { old: found.old.keys, new: found.new.keys },
    ...(withValues && { values: { old: found.old.rows, new: found.new.rows } }),
  }
}

const NO_KEYS: Told['keys'] = { old: [], new: [] }

function refusal({ old, new: opened }: Readonly<Record<Side, Reply>>): string {
  const says = (side: Side, reply: Reply): string =>
    reply.kind === 'failed' ? `the ${side} side refuses it with ${reply.code}` : `the ${side} side answers`
  return old.kind === 'skipped' || opened.kind === 'skipped'
    ? 'the other side was behind for as long as it was waited for'
    : `${says('old', old)}, ${says('new', opened)}`
}

/** The answers by side, whoever of them writes. */
export const bySide = <T>(writer: Side, ofWriter: T, ofOther: T): Readonly<Record<Side, T>> =>
  writer === 'old' ? { old: ofWriter, new: ofOther } : { old: ofOther, new: ofWriter }

export async function compareBySide(
  writer: Side,
  ofWriter: Answer,
  ofOther: Answer,
  options: CompareOptions,
): Promise<Comparison> {
  const { old, new: opened } = bySide(writer, ofWriter, ofOther)
  return compareAnswers(old, opened, options)
}
