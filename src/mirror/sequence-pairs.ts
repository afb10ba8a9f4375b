// Which sequence of one side corresponds to which of the other, where tables and sequences need not have the same names.
import type { Side } from '../phase/phases.js'
import { nameAcross, type Mapped } from './mapping.js'
import { sequenceKey } from './sequence-states.js'
import type { DrawingColumn, KnownSequence, SequenceStates } from './sequence-states.js'

export interface Counterparts {
  readonly left: KnownSequence
  readonly rights: readonly KnownSequence[]
}

/**
 * A sequence's counterparts are those that the same columns draw from, and the one of its name: code may draw from that by
 * itself. Several where one side has a sequence for each table and the other one for all of them; none where it is missing.
 */
export function counterparts(
  m: Pick<Mapped, 'dualWrite'>,
  from: Side,
  lefts: SequenceStates,
  rights: SequenceStates,
): Counterparts[] {
  const drawn = drawnFrom(rights)
  return [...lefts.values()].map((left) => {
    const across = left.drawnBy.flatMap(
      ({ column, ...table }) => drawn.get(columnKey({ ...nameAcross(m, from, table), column })) ?? [],
    )
    const named = rights.get(sequenceKey(nameAcross(m, from, left)))
    return { left, rights: [...new Set(named ? [...across, named] : across)] }
  })
}

function drawnFrom(states: SequenceStates): ReadonlyMap<string, readonly KnownSequence[]> {
  const drawn = new Map<string, KnownSequence[]>()
  for (const sequence of states.values())
    for (const column of sequence.drawnBy) {
      const key = columnKey(column)
      drawn.set(key, [...(drawn.get(key) ?? []), sequence])
    }
  return drawn
}

const columnKey = ({ schema, name, column }: DrawingColumn): string => JSON.stringify([schema, name, column])
