// `pg-cutover status`: which side takes writes, what each side says, how the mirror is, and who is in the fleet.
import { setTimeout as delay } from 'node:timers/promises'
import type { Migration } from '../control/migration.js'
import type { Side } from '../phase/phases.js'
import { attemptText, memberLines } from './fleet-text.js'
import { lastAttempt, membersOf } from './look-at-fleet.js'
import { EXIT, type Outcome } from './outcome.js'
import { look, twice, type SideLook } from './look.js'
import { mirrorJson, mirrorRows } from './mirror-text.js'
import { columns, type Output } from './screen.js'

const SIDES = ['old', 'new'] as const satisfies readonly Side[]

export interface StatusFlags {
  readonly json?: true
  /** Seconds between two looks, or as often as suits the output. */
  readonly watch?: true | number
}

const TERMINAL_SECONDS = 1
const PIPE_SECONDS = 5

export async function statusCommand(m: Migration, flags: StatusFlags, output: Output): Promise<Outcome> {
  if (flags.watch === undefined) return statusOf(m, output)
  const seconds = flags.watch === true ? (output.terminal ? TERMINAL_SECONDS : PIPE_SECONDS) : flags.watch
  const interrupted = new AbortController()
  const forget = output.onInterrupt(() => interrupted.abort())
  try {
    for (;;) {
      const outcome = await statusOf(m, output)
      if (interrupted.signal.aborted) return outcome
      output.show(flags.json ? [JSON.stringify(outcome.json)] : outcome.lines)
      await delay(1_000 * seconds, undefined, { signal: interrupted.signal }).catch(() => {})
    }
  } finally {
    forget()
  }
}

async function statusOf(m: Migration, { paint }: Output): Promise<Outcome> {
  const { sides, writer, mirrors, leftOver } = await twice(await look(m))
  const unreachable = SIDES.filter((side) => sides[side].unreachable !== undefined)
  const begun = SIDES.some((side) => sides[side].row !== undefined)
  const phase = writer?.phase ?? (begun ? undefined : unreachable.length > 0 ? undefined : 'not begun')
  const members = writer ? await membersOf(m, writer.side) : []
  const attempt = await lastAttempt(
    m,
    SIDES.filter((side) => sides[side].row !== undefined),
  )
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
    ...(begun ? [['members', String(members.length)] as [string, string]] : []),
    ...(attempt ? [['last move', attemptText(attempt, paint)] as [string, string]] : []),
  ]
  return {
    exit: leftOver.length > 0 ? EXIT.needsRecover : unreachable.length > 0 ? EXIT.refused : EXIT.done,
    lines: [
      `migration ${m.name}`,
      ...columns(rows),
      ...(writer ? memberLines(members, writer.side, paint) : []),
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
      members,
      lastAttempt: attempt ?? null,
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
