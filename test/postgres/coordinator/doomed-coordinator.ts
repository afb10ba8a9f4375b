// A coordinator that is to be killed: it says each step, and stands still at one of them until it is.
import { changeWriter } from '../../../src/coordinator/coordinator.js'
import type { Side } from '../../../src/phase/phases.js'
import { migrationOver } from '../protocol/fixture.js'

export interface Doom {
  readonly name: string
  readonly urls: Readonly<Record<Side, string>>
  readonly to: Side
  /** `<step> <state>`, or the detail of a progress event; undefined: never stands still. */
  readonly at: string | undefined
  /** Default: `replication`. */
  readonly mirror?: 'replication' | 'dual-write'
}

const doom = JSON.parse(process.argv[2] ?? '{}') as Doom
const m = migrationOver(doom.name, doom.urls, { mirror: doom.mirror ?? 'replication' })

/** Blocks this thread where it is, between two statements, so that nothing of it goes on. */
function standStill(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

const say = (what: string): void => {
  console.log(what)
  if (what === doom.at) standStill()
}
m.events.on('step', ({ step, state }) => say(`${step} ${state}`))
m.events.on('progress', ({ detail }) => say(detail))

await changeWriter(m, doom.to, doom.to === 'new' ? 'live' : 'shadow', { lock: false })
await Promise.all([m.control.old.close(), m.control.new.close()])
