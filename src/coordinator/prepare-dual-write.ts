// What a change of writer needs of a mirror by dual-write before anybody waits: nothing missing, nothing stuck, every row there.
import { CutoverError } from '../errors.js'
import { RelayMember } from '../dual-write/relay-member.js'
import { readMirrored } from '../dual-write/tables.js'
import { waitForBackfill } from '../dual-write/wait-for-backfill.js'
import { presetSequences } from '../mirror/sequences.js'
import type { Attempt } from './attempt.js'
import { captureBoth } from './begin-dual-write.js'
import { warmCatchUpRecord } from './catch-up-record.js'
import { lookAtRecord, refuseStuck } from './look-at-record.js'

export async function prepareDualWrite(a: Attempt, deadline: number): Promise<void> {
  const { m, from } = a
  await requireMirrored(a)
  a.progress('prepare', 'capture')
  a.captured = await captureBoth(m, from, deadline)
  refuseStuck(a, await lookAtRecord(a), 'ERR_PREPARE')
  a.progress('prepare', 'new tables')
  // Of its own: what follows never depends on the process of somebody else. An attempt that was given up has ended its own.
  if (!a.over) a.relay = new RelayMember(m, from)
  a.relay?.start()
  await waitForBackfill(m, from, (progress) => m.events.publish('progress', progress), deadline)
  a.progress('prepare', 'sequences')
  await presetSequences(m, from)
  await warmCatchUpRecord(a)
}

/** A table that nobody mirrors would be lost by the move. */
async function requireMirrored({ m, from, to }: Attempt): Promise<void> {
  const { unmirrored } = await readMirrored(m, from, { old: m.control.old.run, new: m.control.new.run })
  if (unmirrored.length === 0) return
  const named = unmirrored.map(({ table, why }) => `${table.schema}.${table.name} (${why})`)
  throw new CutoverError('ERR_PREPARE', `not mirrored to the ${to} database: ${named.join(', ')}`)
}
