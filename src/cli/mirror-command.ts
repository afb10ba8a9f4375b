// `pg-cutover mirror`: the mirror in detail, once or again and again.
import { setTimeout as delay } from 'node:timers/promises'
import type { Migration } from '../control/migration.js'
import { readSide } from '../control/side-row.js'
import { CutoverError } from '../errors.js'
import { otherSide } from '../phase/phases.js'
import { look, twice, type MirrorLook } from './look.js'
import { mirrorJson, recordLine, recordRows, streamText } from './mirror-text.js'
import { EXIT, type Outcome } from './outcome.js'
import { columns, type Output } from './screen.js'
import { stuckLines } from './stuck-text.js'

export interface MirrorFlags {
  readonly json?: true
  /** Seconds between two looks, or as often as suits the output. */
  readonly watch?: true | number
}

const TERMINAL_SECONDS = 1
const PIPE_SECONDS = 5
const NO_MIRROR = 'no mirror: it has not begun, or the migration has ended'

export async function mirrorCommand(m: Migration, flags: MirrorFlags, output: Output): Promise<Outcome> {
  if (m.mirror === 'none') throw new CutoverError('ERR_OPTION', '--mirror none leaves nothing to be shown')
  const first = await seen(m)
  if (flags.watch === undefined) return outcomeOf(m, await twice(first), output)
  const seconds = flags.watch === true ? (output.terminal ? TERMINAL_SECONDS : PIPE_SECONDS) : flags.watch
  let isCopy = false
  let isMirror = false
  for (let now = first; ; now = await again(m, now)) {
    const isCopyNow = now.mirrors.some(isCopying)
    const isMirrorNow = now.mirrors.length > 0
    // A copy that has come to its end ends the watch, and so does the end of the mirror; else somebody has to.
    const isOver = (isCopy && !isCopyNow) || (isMirror && !isMirrorNow)
    if (isOver && now.reason === undefined) return outcomeOf(m, now, output)
    isCopy ||= isCopyNow
    isMirror ||= isMirrorNow
    output.show(flags.json ? [JSON.stringify(jsonOf(m, now))] : shown(m, now, output))
    await delay(1_000 * seconds)
  }
}

interface Seen {
  readonly mirrors: readonly MirrorLook[]
  /** Why the last look failed; what is shown is of the one before. */
  readonly reason: string | undefined
}

async function seen(m: Migration): Promise<Seen> {
  const { mirrors, sides, writer } = await look(m)
  const unreachable = Object.values(sides).flatMap((side) => side.unreachable ?? [])
  // The other side may be down: what is on record for it is told by the one that writes.
  if (unreachable.length > 0 && (writer === undefined || m.mirror === 'replication'))
    throw new CutoverError('ERR_UNREACHABLE', unreachable.join('; '))
  return { mirrors, reason: undefined }
}

async function again(m: Migration, before: Seen): Promise<Seen> {
  try {
    const [mirror] = before.mirrors
    if (mirror?.kind !== 'dual-write') return await seen(m)
    const row = await readSide(m.control[mirror.from], m.name)
    const record = row?.status === 'writer' ? await mirror.again() : undefined
    // A change of writer turns it, and the last phase ends it.
    return record ? { mirrors: [{ ...mirror, record }], reason: undefined } : await seen(m)
  } catch (error) {
    return { ...before, reason: error instanceof Error ? error.message : String(error) }
  }
}

const isCopying = (mirror: MirrorLook): boolean =>
  mirror.kind === 'dual-write'
    ? mirror.record.copying
    : mirror.health.enabled && mirror.health.tablesReady < mirror.health.tablesTotal

const isWell = (mirror: MirrorLook): boolean => mirror.kind === 'replication' || mirror.record.healthy

function outcomeOf(m: Migration, now: Seen, output: Output): Outcome {
  return {
    exit: now.mirrors.every(isWell) ? EXIT.done : EXIT.refused,
    lines: blockOf(m, now, output),
    json: jsonOf(m, now),
  }
}

/** What a watch shows: a block that is drawn over, or a line each time. */
function shown(m: Migration, now: Seen, output: Output): readonly string[] {
  if (output.terminal) return blockOf(m, now, output)
  if (now.reason !== undefined) return [`Not known: ${now.reason}`]
  if (now.mirrors.length === 0) return [NO_MIRROR]
  return now.mirrors.map((mirror) =>
    mirror.kind === 'dual-write' ? recordLine(mirror.record) : streamText(mirror),
  )
}

function blockOf(m: Migration, { mirrors, reason }: Seen, { paint }: Output): string[] {
  return [
    `migration ${m.name}`,
    ...(mirrors.length === 0 ? [`  ${NO_MIRROR}`] : []),
    ...mirrors.flatMap((mirror) =>
      mirror.kind === 'replication'
        ? columns([['mirror', streamText(mirror)]])
        : [
            ...columns(recordRows(mirror.record, paint, true)),
            ...stuckLines(mirror.record.stuckRows, otherSide(mirror.from), paint),
          ],
    ),
    ...(reason === undefined ? [] : [paint.bad(`Not known: ${reason}`)]),
  ]
}

const jsonOf = (m: Migration, { mirrors, reason }: Seen): Record<string, unknown> => ({
  name: m.name,
  mirrors: mirrors.map(mirrorJson),
  ...(reason !== undefined && { unknown: reason }),
})
