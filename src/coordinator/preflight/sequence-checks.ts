// Checks of the sequences: each has its counterpart, which can be set ahead of it.
import { nameAcross } from '../../mirror/mapping.js'
import { quotedSequence } from '../../mirror/sequence-states.js'
import { headroomOf, roomOf } from '../../mirror/sequence-target.js'
import { ANY_MIRROR, listed } from './check.js'
import type { Check } from './check.js'
import { nameOf } from './facts.js'

export const SEQUENCE_CHECKS = {
  'sequence-missing': {
    severity: 'error',
    why: 'After the flip nextval fails, and with it each INSERT that draws a number.',
    mirrors: ANY_MIRROR,
    find: ({ m, sequences, from, to }) =>
      sequences
        .filter(({ right }) => right === undefined)
        .map(({ left }) => ({ left, across: nameAcross(m, from, left) }))
        .map(({ left, across }) => ({
          side: to,
          object: nameOf(across),
          message: `sequence ${nameOf(across)} is missing on the ${to} side`,
          fix: `create sequence ${quotedSequence(across)} increment ${left.increment} minvalue ${left.min} maxvalue ${left.max} cache ${left.cache}${left.cycle ? ' cycle' : ''}`,
        })),
  },
  'sequence-extra': {
    severity: 'error',
    why: 'Numbers drawn from it after the cutover are unknown to the other side: after a rollback they are handed out again.',
    mirrors: ANY_MIRROR,
    find: ({ extraSequences, from, to }) =>
      extraSequences.length === 0
        ? []
        : [
            {
              side: to,
              object: listed(extraSequences),
              message: `only the ${to} side has the sequences ${listed(extraSequences)}, so there would be no way back`,
              fix: `create them on the ${from} side too, or drop them on the ${to} side`,
            },
          ],
  },
  'sequence-out-of-range': {
    severity: 'error',
    why: 'The sequence cannot be set ahead, so it would begin anew and hand out numbers that are taken.',
    mirrors: ANY_MIRROR,
    find: ({ sequences, to }) =>
      sequences.flatMap(({ left, right }) =>
        right && !left.cycle && roomOf(left, right) === 0n && roomOf(left, left) > 0n
          ? [
              {
                side: to,
                object: nameOf(right),
                message: `sequence ${nameOf(left)} stands at ${left.last}, which is out of the range of the ${to} side (${right.min} to ${right.max})`,
                fix: `on the ${to} side: alter sequence ${quotedSequence(right)} as bigint minvalue ${left.min} maxvalue ${left.max}`,
              },
            ]
          : [],
      ),
  },
  'sequence-room': {
    severity: 'warning',
    why: 'It runs out soon after the flip, and then nextval and the INSERTs that need it fail.',
    mirrors: ANY_MIRROR,
    find: ({ sequences, to }) =>
      sequences.flatMap(({ left, right }) => {
        const room = right && roomOf(left, right)
        if (!right || room === undefined || left.cycle || room >= 2n * headroomOf(left)) return []
        if (room === 0n && roomOf(left, left) > 0n) return []
        return [
          {
            side: to,
            object: nameOf(right),
            message: `sequence ${nameOf(right)} has ${room} values left on the ${to} side, too few for the usual headroom of ${headroomOf(left)}`,
            fix: `on the ${to} side: alter sequence ${quotedSequence(right)} as bigint no maxvalue`,
          },
        ]
      }),
  },
  'sequence-differs': {
    severity: 'error',
    why: 'Numbers come in another rhythm. Clients that draw blocks of numbers (as Hibernate does) then use the same ones twice.',
    mirrors: ANY_MIRROR,
    find: ({ sequences, from, to }) =>
      sequences.flatMap(({ left, right }) =>
        right && (left.increment !== right.increment || left.cycle !== right.cycle)
          ? [
              {
                side: to,
                object: nameOf(right),
                message: `sequence ${nameOf(left)} counts by ${left.increment}${left.cycle ? ' in a circle' : ''} on the ${from} side and by ${right.increment}${right.cycle ? ' in a circle' : ''} on the ${to} one`,
                fix: `on the ${to} side: alter sequence ${quotedSequence(right)} increment ${left.increment} ${left.cycle ? 'cycle' : 'no cycle'}`,
              },
            ]
          : [],
      ),
  },
} as const satisfies Record<string, Check>
