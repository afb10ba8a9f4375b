// A process that leads the relay and does nothing else, until it is stopped or killed.
import { setTimeout as delay } from 'node:timers/promises'
import { RelayMember } from '../../../src/dual-write/relay-member.js'
import type { Side } from '../../../src/phase/phases.js'
import { migrationOver } from '../protocol/fixture.js'

export interface Relaying {
  readonly name: string
  readonly urls: Readonly<Record<Side, string>>
  readonly from: Side
}

const { name, urls, from } = JSON.parse(process.argv[2] ?? '{}') as Relaying
const member = new RelayMember(migrationOver(name, urls, { mirror: 'dual-write' }), from)
member.start()
while (!member.leading) await delay(5)
console.log('leading')
setInterval(() => {}, 60_000)
