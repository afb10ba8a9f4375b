// The row by which a process that has just started may serve.
import type { Migration } from '../control/migration.js'
import type { SideRow } from '../control/side-row.js'
import { findWriter } from '../coordinator/find-writer.js'
import type { FleetMember } from '../fleet/member.js'

/** The writer's row, on whose side this process is listed and confirmed if it is a member; undefined before there is one. */
export async function firstRow(
  m: Migration,
  member: FleetMember | undefined,
  isClosed: () => boolean,
): Promise<SideRow | undefined> {
  for (;;) {
    const row = await findWriter(m)
    // That side may have been left between the two.
    if (isClosed() || !member || (await member.start(row))) return row
  }
}
