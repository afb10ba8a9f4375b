// Keeps the sequences of the side to be opened ahead of those of the writer, since replication does not carry them.
import type { Migration } from '../control/migration.js'
import { quoteLiteral } from '../control/names.js'
import { CutoverError } from '../errors.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'
import { tablesOn } from './mapping.js'
import { counterparts } from './sequence-pairs.js'
import {
  prepareLook,
  quotedSequence,
  readCatalog,
  readPreparedStates,
  readStates,
} from './sequence-states.js'
import type { SequenceCatalog, SequenceStates } from './sequence-states.js'
import { fallsShort, targetOf } from './sequence-target.js'
import type { SequenceState } from './sequence-target.js'

type BothCatalogs = Readonly<Record<Side, SequenceCatalog>>

interface Pair {
  readonly left: SequenceState
  readonly right: SequenceState
}

// What was prepared last, so that a look inside the pause costs one short round trip. Wrong only after a CREATE or DROP,
// which the fingerprint shows, or on a new session, which has nothing prepared.
const known = new WeakMap<Migration, BothCatalogs>()

/** Outside the pause: sets the other side's sequences ahead of `from`'s by a headroom; none is ever lowered. */
export async function presetSequences(m: Migration, from: Side): Promise<void> {
  const catalogs = await readCatalogs(m)
  const pairs = paired(m, await readBoth(m, catalogs, readStates), from)
  // Those that are ahead already, but by less than the headroom, are raised as well.
  await raise(
    m,
    from,
    pairs.filter(({ left, right }) =>
      fallsShort({ ...left, last: targetOf(left, right), called: true }, right),
    ),
  )
  await Promise.all([
    prepareLook(m.control.old.run, catalogs.old),
    prepareLook(m.control.new.run, catalogs.new),
  ])
  known.set(m, catalogs)
}

/**
 * In the pause, after the fence: raises what falls short nevertheless and returns how many. One short round trip after
 * {@link presetSequences} in the same sessions, else two or three; one more if something is raised.
 */
export async function checkSequences(m: Migration, from: Side): Promise<number> {
  const catalogs = known.get(m)
  const quick = catalogs && (await readBoth(m, catalogs, readPreparedStates))
  const states = quick ?? (await readBoth(m, await readCatalogs(m), readStates))
  const short = paired(m, states, from).filter(({ left, right }) => fallsShort(left, right))
  await raise(m, from, short)
  return short.length
}

async function readCatalogs(m: Migration): Promise<BothCatalogs> {
  const [old, next] = await Promise.all([
    readCatalog(m.control.old.run, tablesOn(m, 'old')),
    readCatalog(m.control.new.run, tablesOn(m, 'new')),
  ])
  return { old, new: next }
}

type BothStates = Readonly<Record<Side, SequenceStates>>

async function readBoth(
  m: Migration,
  catalogs: BothCatalogs,
  read: typeof readStates,
): Promise<BothStates | undefined> {
  const [old, next] = await Promise.all([
    read(m.control.old.run, catalogs.old),
    read(m.control.new.run, catalogs.new),
  ])
  return old && next && { old, new: next }
}

function paired(m: Migration, states: BothStates | undefined, from: Side): Pair[] {
  if (!states)
    throw new CutoverError('ERR_PREPARE', 'sequences are being created or dropped at this moment; try again')
  return counterparts(m, from, states[from], states[otherSide(from)]).flatMap(({ left, rights }) => {
    if (rights.length > 0) return rights.map((right) => ({ left, right }))
    throw new CutoverError(
      'ERR_PREPARE',
      `the sequence ${quotedSequence(left)} is missing on the ${otherSide(from)} side`,
    )
  })
}

/** SQLSTATE of our own for the guard below. */
const NOT_MIRRORED = 'PC001'

// One statement. Its row lock makes rivals raise one after the other, each against the value of that moment, and shuts out
// a process that wakes when the side was opened: it would set a live sequence back.
async function raise(m: Migration, from: Side, pairs: readonly Pair[]): Promise<void> {
  if (pairs.length === 0) return
  const to = otherSide(from)
  const body = `begin
    perform from cutover.side where name = ${quoteLiteral(m.name)} and status in ('mirror', 'moved') for update;
    if not found then raise exception 'not mirrored to' using errcode = '${NOT_MIRRORED}'; end if;
    ${pairs.map(raiseOne).join('\n')}
  end`
  try {
    await m.control[to].run(`do ${quoteLiteral(body)}`)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === NOT_MIRRORED)) throw error
    throw new CutoverError(
      'ERR_RIVAL',
      `the ${to} side was opened, or not set up, so its sequences are left alone; read the status before trying again`,
    )
  }
}

function raiseOne({ left, right }: Pair): string {
  const target = `'${targetOf(left, right)}'::int8`
  const behind = left.increment > 0n ? '<' : '>'
  // On a circle there is no "behind", so only the value that was read may be replaced.
  const condition = left.cycle
    ? `last_value = '${right.last}'::int8`
    : `last_value ${behind} ${target} or last_value = ${target} and not is_called`
  return `if (select ${condition} from ${quotedSequence(right)}) then
      perform setval(${quoteLiteral(quotedSequence(right))}, ${target}, true);
    end if;`
}
