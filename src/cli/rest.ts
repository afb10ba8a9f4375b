// Where a migration rests, for commands that take it on from there; nothing is begun while a change of writer is under way.
import type { Migration } from '../control/migration.js'
import { CutoverError } from '../errors.js'
import type { Phase } from '../phase/phases.js'
import { look, type Look } from './look.js'
import { EXIT, type Outcome } from './outcome.js'

export interface Rest {
  readonly phase: Phase
  /** Neither side knows of the migration yet. */
  readonly begun: boolean
  readonly epoch: number
  /** Why a side could not be asked. */
  readonly unreachable: readonly string[]
}

/** Where it rests, or the end of a command that has to wait for `recover`. Throws `ERR_UNREACHABLE` where that is not known. */
export async function restOf(m: Migration): Promise<Rest | Outcome> {
  const found = await look(m)
  if (found.leftOver.length > 0) return needsRecover(m, found)
  const unreachable = Object.values(found.sides).flatMap((side) => side.unreachable ?? [])
  const { writer } = found
  if (writer === undefined && unreachable.length > 0)
    throw new CutoverError('ERR_UNREACHABLE', unreachable.join('; '))
  return {
    phase: writer?.phase ?? (writer?.side === 'new' ? 'new' : 'old'),
    begun: writer !== undefined,
    epoch: writer?.epoch ?? 0,
    unreachable,
  }
}

export const isOutcome = (found: Rest | Outcome): found is Outcome => 'exit' in found

function needsRecover(m: Migration, { leftOver }: Look): Outcome {
  const message = `a change of writer of "${m.name}" is under way or was left`
  return {
    exit: EXIT.needsRecover,
    lines: [
      `${message}. If it stays so, \`pg-cutover recover\` will:`,
      ...leftOver.map((line) => `  - ${line}`),
    ],
    json: { name: m.name, error: { code: 'ERR_RIVAL', message }, needsRecover: true, leftOver },
  }
}
