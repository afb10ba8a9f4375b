// Keeps the sequences of the side to be opened ahead of those of the writer, since replication does not carry them.
import type { Migration } from '../control/migration.js'
import { quoteLiteral } from '../control/names.js'
import { CutoverError } from '../errors.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'
import { quotedSequence, readCatalog, readStates, sequenceKey } from './sequence-states.js'
import type { SequenceCatalog } from './sequence-states.js'
import { fallsShort, targetOf } from './sequence-target.js'
import type { SequenceState } from './sequence-target.js'

type BothCatalogs = Readonly<Record<Side, SequenceCatalog>>

interface Pair {
  readonly left: SequenceState
  readonly right: SequenceState
}

// What the catalogs said last, so that a look inside the pause costs one round trip. Wrong only after a CREATE or DROP, which
// the fingerprint shows.
const known = new WeakMap<Migration, BothCatalogs>()

/** Outside the pause: sets the other side's sequences ahead of `from`'s by a headroom; none is ever lowered. */
export async function presetSequences(m: Migration, from: Side): Promise<void> {
  known.delete(m)
  const pairs = await readPairs(m, from)
  // Those that are ahead already, but by less than the headroom, are raised as well.
  await raise(
    m,
    from,
    pairs.filter(({ left, right }) =>
      fallsShort({ ...left, last: targetOf(left, right), called: true }, right),
    ),
  )
}

/**
 * In the pause, after the fence: raises what falls short nevertheless and returns how many. One round trip, one more
 * after a CREATE or DROP SEQUENCE or in a process that has prepared nothing, one more if something is raised.
 */
export async function checkSequences(m: Migration, from: Side): Promise<number> {
  const pairs = await readPairs(m, from)
  const short = pairs.filter(({ left, right }) => fallsShort(left, right))
  await raise(m, from, short)
  return short.length
}

async function readPairs(m: Migration, from: Side): Promise<Pair[]> {
  const remembered = known.get(m)
  const states = remembered && (await readBoth(m, remembered))
  if (states) return paired(states, from)
  const [old, next] = await Promise.all([
    readCatalog(m.control.old.run, m.tables),
    readCatalog(m.control.new.run, m.tables),
  ])
  const catalogs = { old, new: next }
  known.set(m, catalogs)
  const fresh = await readBoth(m, catalogs)
  if (fresh) return paired(fresh, from)
  throw new CutoverError('ERR_PREPARE', 'sequences are being created or dropped at this moment; try again')
}

type BothStates = Readonly<Record<Side, ReadonlyMap<string, SequenceState>>>

async function readBoth(m: Migration, catalogs: BothCatalogs): Promise<BothStates | undefined> {
  const [old, next] = await Promise.all([
    readStates(m.control.old.run, catalogs.old),
    readStates(m.control.new.run, catalogs.new),
  ])
  return old && next && { old, new: next }
}

function paired(states: BothStates, from: Side): Pair[] {
  const rights = states[otherSide(from)]
  return [...states[from].values()].map((left) => {
    const right = rights.get(sequenceKey(left))
    if (right) return { left, right }
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
