// What a member of the fleet needs of the process that it stands for.
import type { Migration } from '../control/migration.js'
import type { SideRow } from '../control/side-row.js'
import type { Phase, Side } from '../phase/phases.js'
import type { PoolCore } from '../pool/pool-core.js'

export interface MemberHome {
  readonly m: Migration
  readonly core: PoolCore
  readonly phase: Phase | undefined
  readonly epoch: number
  /** This process changes the phase itself: then it alone drives its gate. */
  readonly moving: boolean
  /** Serves by the writer's row from this turn on. */
  rest(row: SideRow): void
  /**
   * Ends what is under way by the rows alone, and gives the writer's; undefined where the migration has not begun. An epoch
   * that is to be used up may still have a fence on its way.
   */
  settle(from: Side, useUp: number | undefined): Promise<SideRow | undefined>
}
