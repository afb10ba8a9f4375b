// `pg-cutover recover`: ends whatever change of writer was left under way, by what both sides say.
import type { Migration } from '../control/migration.js'
import { recover } from '../coordinator/recover.js'
import { isCutoverError } from '../errors.js'
import { EXIT, type Outcome } from './outcome.js'
import { look, refuseOtherMirror } from './look.js'
import type { Output } from './screen.js'

export async function recoverCommand(
  m: Migration,
  flags: { readonly dryRun?: true },
  output: Output,
): Promise<Outcome> {
  return flags.dryRun ? dryRun(m) : forReal(m, output)
}

async function dryRun(m: Migration): Promise<Outcome> {
  const { sides, leftOver } = await look(m)
  const unreachable = Object.values(sides).flatMap((side) => side.unreachable ?? [])
  const would =
    leftOver.length === 0
      ? ['Nothing was left under way.']
      : ['It would:', ...leftOver.map((line) => `  - ${line}`)]
  return {
    exit: unreachable.length > 0 ? EXIT.refused : EXIT.done,
    lines: [...would, ...unreachable.map((reason) => `Not known: ${reason}`)],
    json: { name: m.name, dryRun: true, wouldDo: leftOver, unknown: unreachable },
  }
}

async function forReal(m: Migration, { paint }: Output): Promise<Outcome> {
  for (const side of ['old', 'new'] as const)
    await refuseOtherMirror(m, side).catch((error: unknown) => {
      // What cannot be reached is told below.
      if (isCutoverError(error, 'ERR_OPTION')) throw error
    })
  const { done, open, writer, phase, epoch } = await recover(m)
  const nothingRead = writer === undefined && done.length === 0
  return {
    exit: open.length === 0 ? EXIT.done : nothingRead ? EXIT.refused : EXIT.needsRecover,
    lines: [
      ...(done.length === 0 && open.length === 0
        ? ['Nothing was left under way.']
        : done.map((line) => paint.good(`done  ${line}`))),
      ...open.map((line) => paint.bad(`open  ${line}`)),
      ...(writer === undefined
        ? []
        : [`Writes go to ${writer}, phase ${phase ?? 'unknown'}, epoch ${epoch}.`]),
      ...(open.length > 0 ? ['Run it again once the reason above is gone; every run is safe.'] : []),
    ],
    json: { name: m.name, done, open, writer: writer ?? null, phase: phase ?? null, epoch: epoch ?? null },
  }
}
