// `pg-cutover status`: which side takes writes, what each side says, and how the mirror is.
import type { Migration } from '../control/migration.js'
import type { Side } from '../phase/phases.js'
import { EXIT, type Outcome } from './outcome.js'
import { look, twice, type SideLook } from './look.js'
import { mirrorJson, mirrorRows } from './mirror-text.js'
import { columns, type Output } from './screen.js'

const SIDES = ['old', 'new'] as const satisfies readonly Side[]

export async function statusCommand(m: Migration, _: unknown, { paint }: Output): Promise<Outcome> {
  const { sides, writer, mirrors, leftOver } = await twice(await look(m))
  const unreachable = SIDES.filter((side) => sides[side].unreachable !== undefined)
  const begun = SIDES.some((side) => sides[side].row !== undefined)
  const phase = writer?.phase ?? (begun ? undefined : unreachable.length > 0 ? undefined : 'not begun')
  const rows: [string, string][] = [
    ['phase', phase ?? 'unknown'],
    [
      'writes',
      writer
        ? `${writer.side}, epoch ${writer.epoch}`
        : begun
          ? paint.bad('no side that answers')
          : 'as before',
    ],
    ...SIDES.map((side): [string, string] => {
      const text = sideText(sides[side])
      return [side, sides[side].unreachable === undefined ? text : paint.bad(text)]
    }),
    ...mirrors.flatMap((mirror) => mirrorRows(mirror, paint)),
  ]
  return {
    exit: leftOver.length > 0 ? EXIT.needsRecover : unreachable.length > 0 ? EXIT.refused : EXIT.done,
    lines: [
      `migration ${m.name}`,
      ...columns(rows),
      ...(leftOver.length === 0
        ? []
        : [
            '',
            paint.warn(
              'A change of writer is under way or was left. If it stays so, `pg-cutover recover` will:',
            ),
            ...leftOver.map((line) => `  - ${line}`),
          ]),
    ],
    json: {
      name: m.name,
      phase: writer?.phase ?? null,
      writer: writer?.side ?? null,
      epoch: writer?.epoch ?? null,
      sides: Object.fromEntries(SIDES.map((side) => [side, sideJson(sides[side])])),
      mirrors: mirrors.map(mirrorJson),
      needsRecover: leftOver.length > 0,
      leftOver,
    },
  }
}

function sideText({ address, row, unreachable }: SideLook): string {
  if (unreachable !== undefined) return `${address}  ${unreachable}`
  if (row === undefined) return `${address}  nothing stored yet`
  const target = row.target === undefined ? '' : `, towards ${row.target}`
  return `${address}  ${row.status}, epoch ${row.epoch}${target}`
}

function sideJson({ address, row, unreachable }: SideLook): Record<string, unknown> {
  return {
    address,
    reachable: unreachable === undefined,
    ...(unreachable === undefined ? {} : { reason: unreachable }),
    status: row?.status ?? null,
    epoch: row?.epoch ?? null,
    phase: row?.phase ?? null,
    target: row?.target ?? null,
  }
}
