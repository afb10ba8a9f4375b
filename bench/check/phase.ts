// Gate of knowing the phase: `cutover.phase` against an entry of a Map, which is where whoever remembers a flag by hand has it.
import type { Cutover, Phase } from '../../src/index.js'
import { movedTo } from '../moved-cutover.js'
import { chosen, type Gate } from './gate.js'
import { cpuOf, inQuads } from './quads.js'

const BATCH = 1_000
const WANTED = 'live'
// Several migrations in turn, so that no compiler may read one phase once for the whole batch.
const IN_TURN = ['old', 'shadow', WANTED, 'new'] as const satisfies readonly Phase[]
const TURN = IN_TURN.length - 1

interface Phased {
  readonly phase: Phase | undefined
}

/** One class for all that are wrapped alike, as `Cutover` is one for all migrations. */
abstract class Wrapped {
  readonly cutover: Cutover

  constructor(cutover: Cutover) {
    this.cutover = cutover
  }
}

class Plain extends Wrapped implements Phased {
  get phase(): Phase | undefined {
    return this.cutover.phase
  }
}

class ByName extends Wrapped implements Phased {
  readonly #phases = new Map([
    ['desired', this.cutover.phase],
    ['effective', this.cutover.phase],
  ])

  get phase(): Phase | undefined {
    const effective = this.#phases.get('effective')
    return this.#phases.get('desired') === effective ? effective : undefined
  }
}

class InStatus extends Wrapped implements Phased {
  get phase(): Phase | undefined {
    return this.cutover.status().phase
  }
}

type Variant = (cutover: Cutover) => Phased

const VARIANTS: Readonly<Record<string, Variant>> = {
  plain: (cutover) => new Plain(cutover),
  map: (cutover) => new ByName(cutover),
  status: (cutover) => new InStatus(cutover),
}

function lookups(phased: readonly Phased[]) {
  const map = new Map(IN_TURN.map((phase) => [`flag-${phase}`, phase]))
  const keys = [...map.keys()]
  return {
    phase: (): number => {
      let hits = 0
      for (let call = 0; call < BATCH; call++) if (phased[call & TURN]?.phase === WANTED) hits++
      return hits
    },
    map: (): number => {
      let hits = 0
      for (let call = 0; call < BATCH; call++) if (map.get(keys[call & TURN] ?? '') === WANTED) hits++
      return hits
    },
  }
}

const slice = (batch: () => number): (() => Promise<number>) =>
  cpuOf(() => {
    if (batch() !== BATCH / IN_TURN.length) throw new Error('a lookup found another phase')
  })

export const phase: Gate = {
  what: '`cutover.phase`, in the time of an entry of a Map',
  unit: '×',
  most: 1,
  warmUp: 20,
  variants: { plain: 'passes', map: 'fails', status: 'fails' },
  open: async (variant) => {
    const broken = chosen<Variant>(VARIANTS, variant, (cutover) => cutover)
    const cutovers = await Promise.all(IN_TURN.map(movedTo))
    const { phase: asked, map } = lookups(cutovers.map(broken))
    return {
      sample: inQuads(slice(map), slice(asked)),
      close: async () => void (await Promise.all(cutovers.map((cutover) => cutover.end()))),
    }
  },
}
