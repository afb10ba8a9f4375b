// What it costs a query that its end is told to the relay: a connection that has nothing to do, with and without the watch.
import { EventEmitter } from 'node:events'
import pg from 'pg'
import { Pace } from '../../src/dual-write/pace.js'
import { innerPool, type InnerClient } from '../../src/pool/pg-internals.js'
import { SidePool } from '../../src/pool/side-pool.js'
import { WriteWatch } from '../../src/pool/write-watch.js'
import { CORES, type PartOnPair, type Tell } from '../on-pairs.js'
import { difference } from '../against-itself.js'
import { paired } from '../paired.js'
import { stubConfig } from '../stub-client.js'
import { SETTINGS } from './ground.js'

const BATCH = 1_000
const BATCHES_IN_A_SLICE = 20
const ENDS = ['INSERT 0 1', 'UPDATE 1', 'SELECT 1', 'DELETE 1'].map((text) => ({ text }))

/** The two ends of a client that a watch listens to. */
class StubClient extends EventEmitter {
  readonly connection = new EventEmitter()
  constructor() {
    super()
    // pg's own.
    this.connection.on('commandComplete', () => {})
  }
}

const quadsOf = (quick: boolean): number => (quick ? 20 : 200)

export const wake: PartOnPair = {
  title: 'Dual-write: what does a query pay for telling the relay of its end?',
  how: (quick) => [
    `The event by which pg tells of a statement's end, on a connection that has nothing to do, with and without the watch that wakes a relay at work;`,
    `paired slices of ${(BATCH * BATCHES_IN_A_SLICE).toLocaleString('en')} events, ${quadsOf(quick)} quads; two connections without the watch are the A/A.`,
    `No server is asked. One process, on ${CORES}.`,
  ],
  settings: SETTINGS,
  run: measure,
}

async function measure(_: unknown, quick: boolean, tell: Tell): Promise<readonly string[]> {
  const side = new SidePool('old', innerPool(new pg.Pool(stubConfig(1))), false, {
    fenced: () => {},
    failed: () => {},
  })
  const [plain, again, watched] = [new StubClient(), new StubClient(), new StubClient()]
  side.watching.set(watched as unknown as InnerClient, () => {})
  // A leader's, that is at work.
  const pace = new Pace()
  const watch = new WriteWatch(side, () => pace.wake())
  const timed =
    ({ connection }: StubClient) =>
    (): number => {
      const began = process.hrtime.bigint()
      for (let nr = 0; nr < BATCH * BATCHES_IN_A_SLICE; nr++) connection.emit('commandComplete', ENDS[nr & 3])
      return Number(process.hrtime.bigint() - began) / (BATCH * BATCHES_IN_A_SLICE)
    }
  const quads = quadsOf(quick)
  const same = await paired(quads, timed(plain), timed(again))
  const added = await paired(quads, timed(plain), timed(watched))
  watch.stop()
  await side.end()
  tell(difference('what a query pays for telling the relay of its end', 'ns', added, same))
  return []
}
