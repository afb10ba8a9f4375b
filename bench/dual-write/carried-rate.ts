// How fast a relay carries over what is on record.
import { setTimeout as delay } from 'node:timers/promises'
import type { Migration } from '../../src/control/migration.js'
import { RelayMember } from '../../src/dual-write/relay-member.js'

const LOOK_MILLIS = 2

/** Rows a second, from the moment in which it leads. */
export async function rowsPerSecond(m: Migration, rows: number): Promise<number> {
  const member = new RelayMember(m, 'old')
  member.start()
  try {
    while (!member.leading) await delay(LOOK_MILLIS)
    const began = performance.now()
    for (;;) {
      const { applied, trouble } = member.status()
      if (trouble !== undefined) throw new Error(`the relay cannot go on: ${trouble}`)
      if (applied >= rows) return (rows / (performance.now() - began)) * 1_000
      await delay(LOOK_MILLIS)
    }
  } finally {
    await member.close()
  }
}
