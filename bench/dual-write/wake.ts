// What it costs a query that its end is told to the relay: a connection that has nothing to do, with and without the watch.
import { EventEmitter } from 'node:events'
import pg from 'pg'
import { Pace } from '../../src/dual-write/pace.js'
import { innerPool, type InnerClient } from '../../src/pool/pg-internals.js'
import { SidePool } from '../../src/pool/side-pool.js'
import { WriteWatch } from '../../src/pool/write-watch.js'
import { paired } from '../paired.js'
import { stubConfig } from '../stub-client.js'
import type { Outcome } from '../outcome.js'

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

export async function wake(_pair: unknown, quick: boolean): Promise<Outcome[]> {
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
  const quads = quick ? 20 : 200
  const same = await paired(quads, timed(plain), timed(again))
  const added = await paired(quads, timed(plain), timed(watched))
  watch.stop()
  await side.end()
  const nanos = (value: number): number => Number(value.toFixed(0))
  return [
    {
      what: 'what a query pays for telling the relay of its end',
      unit: 'ns',
      measured: nanos(added.difference),
      middleHalf: [nanos(added.low), nanos(added.high)],
      same: nanos(same.difference),
    },
  ]
}
