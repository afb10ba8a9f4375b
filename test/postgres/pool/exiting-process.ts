// A process that nothing keeps alive but what is held in its pool, and that says what happens until it ends.
import pg from 'pg'
import { CutoverEvents } from '../../../src/events.js'
import { createCutover, memorySource } from '../../../src/index.js'
import { cutoverPool } from '../../../src/pool/cutover-pool.js'
import { innerPool } from '../../../src/pool/pg-internals.js'
import { PoolCore } from '../../../src/pool/pool-core.js'
import { KnownTexts } from '../../../src/reads/known-texts.js'

const [what = '', oldUrl = '', newUrl = ''] = process.argv.slice(2)

process.on('exit', (code) => console.log(`exit ${code}`))

const inner = (connectionString: string) => ({
  inner: innerPool(new pg.Pool({ connectionString, allowExitOnIdle: true })),
  handedIn: false,
})

async function say(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ side: string }>('select side from marker')
  console.log(rows[0]?.side)
}

if (what === 'ended') {
  const cutover = createCutover({
    name: 'orders',
    old: { connectionString: oldUrl },
    new: { connectionString: newUrl },
    source: memorySource('old'),
  })
  await cutover.ready()
  await say(cutover.pool)
  await cutover.advance('new')
  await say(cutover.pool)
  await cutover.end()
  console.log('ended')
} else {
  const core = new PoolCore({
    name: 'orders',
    pools: { old: inner(oldUrl), new: inner(newUrl) },
    events: new CutoverEvents(),
    texts: new KnownTexts(),
    onFence: undefined,
  })
  const pool = cutoverPool(core)
  core.release('old')
  if (what === 'nothing held') {
    await say(pool)
  } else {
    // Unref'ed, so that it fires only if something else keeps the process alive until then.
    core.hold({
      millis: what === 'read' ? 60_000 : 300,
      reads: what === 'read' ? 'flow' : 'wait',
      ended: () => {
        console.log('released')
        return Promise.resolve('new')
      },
    })
    if (what !== 'held for nobody') void say(pool)
  }
}
