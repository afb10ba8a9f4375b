// A process that relays in both directions, and stands still or ends without a word before any of its statements.
import { writeSync } from 'node:fs'
import type { ControlConnection } from '../../src/control/control-connection.js'
import type { Migration } from '../../src/control/migration.js'
import { RelayMember } from '../../src/dual-write/relay-member.js'
import type { Side } from '../../src/phase/phases.js'
import { migrationOver } from '../postgres/protocol/fixture.js'
import { MAPPED, TABLES } from './dual-write-tables.js'
import { seededRandom } from '../support/seeded-random.js'
import { endWithParent } from './end-with-parent.js'

export interface RelayOrder {
  readonly name: string
  readonly urls: Readonly<Record<Side, string>>
  readonly seed: number
  /** Small ones, so that a batch ends anywhere. */
  readonly batchRows: number
  readonly batchBytes: number
}

endWithParent()
const order = JSON.parse(process.argv[2] ?? '{}') as RelayOrder
const random = seededRandom(order.seed)
const say = (line: string): void => void writeSync(1, `${line}\n`)

function stand(millis: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis)
}

function disturb(text: string): void {
  // Between what was read and the writing of it is where a rival hurts most.
  const writes = text.startsWith('begin;\n') && !text.includes('isolation')
  const chance = random()
  if (chance < (writes ? 0.03 : 0.001)) {
    // Heard by those who take the lead away meanwhile.
    say('stalled')
    stand(100 + random() * 400)
  } else if (chance < 0.02) stand(random() * 10)
  else if (chance > 0.9993) process.kill(process.pid, 'SIGKILL')
}

const SAID: Readonly<Record<string, string>> = { '23505': 'unique conflict', '22012': 'late write refused' }

function disturbed(control: ControlConnection): ControlConnection {
  const heard = async <T>(text: string, ask: () => Promise<T>): Promise<T> => {
    disturb(text)
    try {
      return await ask()
    } catch (error) {
      const said = error instanceof Error && 'code' in error ? SAID[String(error.code)] : undefined
      if (said !== undefined) say(said)
      throw error
    }
  }
  return {
    ...control,
    run: (text, values, prepareAs) => heard(text, () => control.run(text, values, prepareAs)),
    runAll: (text) => heard(text, () => control.runAll(text)),
    fork: (bounds) => disturbed(control.fork(bounds)),
  }
}

const made = migrationOver(order.name, order.urls, {
  mirror: 'dual-write',
  tables: TABLES.map(({ old }) => old),
})
const m: Migration = {
  ...made,
  control: { old: disturbed(made.control.old), new: disturbed(made.control.new) },
  dualWrite: {
    ...made.dualWrite,
    mapped: MAPPED,
    batchRows: order.batchRows,
    batchBytes: order.batchBytes,
  },
}
m.events.on('warning', ({ code, message }) => {
  if (code === 'MIRROR_STUCK') say(`warned ${code} ${message}`)
})

const members = (['old', 'new'] as const).map((from) => new RelayMember(m, from))
for (const member of members) member.start()
process.once('SIGTERM', () => {
  void Promise.all(members.map((member) => member.close())).then(() =>
    Promise.all([m.control.old.close(), m.control.new.close()]),
  )
})
say('begun')
setInterval(() => {}, 60_000).unref()
