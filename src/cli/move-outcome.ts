// How a move has ended, for people and for machines: where writes go, how long they waited, and who is left behind.
import type { Migration } from '../control/migration.js'
import type { CutoverEvent, RogueBackend } from '../events.js'
import { PHASES, writerOf } from '../phase/phases.js'
import { look } from './look.js'
import type { MovePlan } from './move-plan.js'
import { EXIT, type Outcome } from './outcome.js'
import { printable, table, type Output, type Paint } from './screen.js'
import type { Timeline } from './timeline.js'

export async function movedOutcome(
  m: Migration,
  plan: MovePlan,
  event: CutoverEvent | undefined,
  seen: Timeline,
  { paint }: Output,
): Promise<Outcome> {
  const { leftOver, writer } = await look(m)
  const phase = writer?.phase ?? plan.to
  const epoch = event?.epoch ?? writer?.epoch ?? 0
  const backends = seen.rogues?.backends ?? []
  const notDropped = seen.warnings
    .filter(({ code }) => code === 'MIRROR_NOT_DROPPED')
    .map(({ message }) => message)
  const pause = event ? `, paused for ${event.pauseMillis.toFixed(0)} ms` : ''
  return {
    exit: leftOver.length > 0 ? EXIT.needsRecover : notDropped.length > 0 ? EXIT.leftBehind : EXIT.done,
    lines: [
      ...seen.shown,
      ...(plan.from === plan.to && !plan.endsMirror ? [`The phase was "${phase}" already.`] : []),
      paint.good(`Writes go to ${writerOf(phase)}, phase "${phase}", epoch ${epoch}${pause}.`),
      ...rogueLines(backends, seen.rogues?.side ?? '', paint),
      ...(leftOver.length > 0
        ? [
            paint.warn('Something is left to be done. `pg-cutover recover` will:'),
            ...leftOver.map((line) => `  - ${line}`),
          ]
        : []),
      ...(notDropped.length > 0
        ? [
            paint.warn('The mirror could not be taken away everywhere:'),
            ...notDropped.map((reason) => `  - ${printable(reason)}`),
            'A slot that stays on a running server keeps WAL without end. Run the same command again for the rest.',
          ]
        : []),
    ],
    json: {
      name: m.name,
      from: plan.from,
      phase,
      mirroredTo: m.mirror === 'none' ? null : (PHASES[phase].mirroredTo ?? null),
      writer: writerOf(phase),
      epoch,
      changed: plan.from !== plan.to,
      cutover: event ?? null,
      rogueWriters: backends,
      warnings: seen.warnings,
      needsRecover: leftOver.length > 0,
      leftOver,
      notDropped,
    },
  }
}

function rogueLines(backends: readonly RogueBackend[], side: string, paint: Paint): string[] {
  if (backends.length === 0) return []
  const rows = backends.map((one) =>
    [
      one.applicationName || '(no application_name)',
      one.user,
      one.clientAddress,
      one.state,
      one.lastQueryStart,
      one.member === undefined ? 'not of the fleet' : `of ${one.member}`,
    ].map(printable),
  )
  return [
    paint.warn(
      `Still connected to the ${side} database, which refuses their writes; with the start of the last statement:`,
    ),
    ...table(rows),
  ]
}
