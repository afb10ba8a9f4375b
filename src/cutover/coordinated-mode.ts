// Coordinated mode: the truth is a row on each side, and a change of writer is the coordinator's table of steps.
import type { Migration } from '../control/migration.js'
import type { SideRow } from '../control/side-row.js'
import { movePhase } from '../coordinator/move-phase.js'
import { refuseIllegal } from '../coordinator/refuse-illegal.js'
import { CutoverError } from '../errors.js'
import type { CutoverEvent, CutoverEvents } from '../events.js'
import { FleetMember } from '../fleet/member.js'
import type { MemberHome } from '../fleet/member-home.js'
import { memberIdentity } from '../fleet/member-state.js'
import type { MirrorStatus } from '../mirror/lag.js'
import { writerOf, type Phase, type Side, type Wish } from '../phase/phases.js'
import type { HoldLease } from '../pool/gate.js'
import type { CoreState } from '../pool/gate-state.js'
import type { PoolCore } from '../pool/pool-core.js'
import { serviceName } from './connections.js'
import { endOfHold, endOfMembersHold } from './end-of-hold.js'
import { firstRow } from './first-row.js'
import { followTogether, type MoveHooks } from './follow-together.js'
import { keepTrying, type Trying } from './keep-trying.js'
import type { ResolvedOptions } from './read-options.js'
import { migrationOf } from './migration-of.js'
import { Mirroring } from './mirroring.js'
import type { DualWriting } from './dual-writing.js'
import { busy, type FleetStatus, type Mode } from './mode.js'
import { RowPoll } from './row-poll.js'

const SIDES = ['old', 'new'] as const satisfies readonly Side[]

export class CoordinatedMode implements Mode, MemberHome {
  phase: Phase | undefined
  epoch = 0
  readonly #events: CutoverEvents
  readonly #options: ResolvedOptions
  readonly m: Migration
  readonly control: Migration['control']
  readonly core: PoolCore
  #moving: Promise<unknown> | undefined
  /** Exactly one of them finds out what others have changed. */
  readonly #member: FleetMember | undefined
  readonly #poll: RowPoll | undefined
  readonly #mirroring: Mirroring
  /** The rows could not be read at the start. */
  #looking: Trying | undefined
  readonly #again: () => void
  #closed = false
  /** The gate's state as a hold that the source has asked for has made it; it ends with the source's next word. */
  #holding: CoreState | undefined
  /** A change of writer has left this process held, and its connections are closed. */
  #leftHeld = false

  constructor(core: PoolCore, events: CutoverEvents, options: ResolvedOptions, again: () => void) {
    this.core = core
    this.#again = again
    this.#events = events
    this.#options = options
    const m = migrationOf(options, events, core)
    if (options.members === 'barrier') {
      const who = memberIdentity(serviceName(options, 'old'))
      this.m = { ...m, self: who.member }
      this.#member = new FleetMember(this, who)
    } else {
      this.m = m
      this.#poll = new RowPoll(this, () => this.afterFence())
    }
    this.control = m.control
    this.#mirroring = new Mirroring(this.m, () =>
      this.#moving || this.#closed || this.#member?.following === true ? undefined : this.phase,
    )
  }

  get phaseFrom(): 'row' | undefined {
    return this.phase === undefined ? undefined : 'row'
  }

  get mirror(): MirrorStatus | undefined {
    return this.#mirroring.status(this.phase)
  }

  get fleet(): FleetStatus | undefined {
    if (!this.#member) return undefined
    const { listed, confirmation } = this.#member
    return { member: this.m.self ?? '', listed, confirmedMillis: confirmation.millis }
  }

  get moving(): boolean {
    return this.#moving !== undefined
  }

  get closed(): boolean {
    return this.#closed
  }

  get relay(): DualWriting | undefined {
    return this.#mirroring.relay
  }

  async start(): Promise<void> {
    await this.core.texts.load()
    try {
      await this.#begin()
    } catch (error) {
      // A service that starts during an outage of its databases serves when they are back, as one that ran before does.
      this.#looking = keepTrying(async () => {
        await this.#begin()
        // What was wished meanwhile was refused.
        this.#again()
      })
      throw error
    }
  }

  async #begin(): Promise<void> {
    await this.#mirroring.load()
    const row = await firstRow(this.m, this.#member, () => this.#closed)
    if (this.#closed) return
    this.#rest(row?.phase ?? 'old', row)
    this.#member?.watch()
    this.#poll?.start()
    this.#mirroring.watch()
  }

  async follow(wish: Wish): Promise<string | undefined> {
    if (wish === 'hold') {
      const { state } = this.core
      // Who holds already may have promised to others that nothing starts before they say so.
      if (this.#moving || (state.kind === 'held' && state !== this.#holding)) throw busy()
      this.core.hold(this.#lease('flow'))
      this.#holding = this.core.state
      return undefined
    }
    if (this.core.state === this.#holding && !this.#moving)
      if (this.#member) this.#member.letGo()
      else this.core.release(this.core.side)
    this.#holding = undefined
    if (wish === this.phase) return undefined
    refuseIllegal(this.phase, wish, this.m.mirror)
    if (!this.#options.autoAdvance) return `autoAdvance is off; advance("${wish}") moves`
    if (this.#member) await followTogether(this, this.#member, wish)
    else await this.change(wish)
    return undefined
  }

  async change(phase: Phase, hooks: MoveHooks = {}): Promise<CutoverEvent | undefined> {
    if (this.#moving) throw busy()
    const moving = this.#move(phase, hooks)
    this.#moving = moving.catch(() => {})
    try {
      return await moving
    } catch (cause) {
      if (!this.#closed) throw cause
      throw new CutoverError(
        'ERR_ENDED',
        `the migration was ended in this process on its way to "${phase}"; the same move later goes on from there`,
        { cause },
      )
    } finally {
      this.#moving = undefined
      if (this.#leftHeld && this.core.state.kind === 'held')
        this.core.hold({ ...this.#lease('wait'), millis: 1 })
      this.#leftHeld = false
      this.#mirroring.look()
      this.#member?.look()
    }
  }

  /** What to do where a statement of this process met a fence: find out who writes, and go there. */
  afterFence(): HoldLease {
    // From here the hold is no longer the source's, whose next word must not let calls go to the side that was shut.
    this.#holding = undefined
    return this.#lease('wait', this.#options.timings.holdTimeoutMillis)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#poll?.stop()
    this.#mirroring.stop()
    // The servers go on with a copy by themselves, and the next `advance` takes it up; anything else ends soon.
    if (this.#mirroring.copying || this.phase === undefined) await this.#disconnect()
    await this.#looking?.stop()
    await this.#moving
    await this.#poll?.close()
    await this.#member?.close()
    await this.#mirroring.close()
    await this.#disconnect()
  }

  async #disconnect(): Promise<void> {
    await Promise.all(SIDES.map((side) => this.m.control[side].close()))
  }

  async #move(to: Phase, hooks: MoveHooks): Promise<CutoverEvent | undefined> {
    const m = this.m
    const from = this.phase
    if (from === undefined) throw new CutoverError('ERR_PHASE_UNKNOWN', 'no phase is known to move from')
    if (writerOf(from) !== writerOf(to)) this.#member?.goesAhead()
    return movePhase(m, from, to, {
      ...hooks,
      onCopying: (copying) => (this.#mirroring.copying = copying),
      onMoved: () => {
        this.#mirroring.rest(to)
        this.#member?.moved()
      },
      onLeftHeld: () => (this.#leftHeld = true),
      onNoted: (row) => this.#rest(to, row),
      onLeftBehind: (error) => this.#mirroring.leftBehind(error),
    })
  }

  #rest(phase: Phase, row: SideRow | undefined): void {
    const from = this.phase
    this.phase = phase
    this.epoch = row?.epoch ?? 0
    this.#member?.rested(phase)
    this.core.release(writerOf(phase))
    this.#mirroring.rest(phase)
    // In these a change of writer is to be expected.
    if (phase !== 'old' && phase !== 'new') this.core.reads.ahead(from === undefined ? 'now' : 'later')
    if (from !== phase) this.#events.publish('phase', { name: this.m.name, from, to: phase })
  }

  settle(from: Side, useUp: number | undefined): Promise<SideRow | undefined> {
    return endOfMembersHold(this.m, from, useUp)
  }

  /** Serves by the writer's row. */
  rest(row: SideRow): void {
    this.#rest(row.phase ?? (row.side === 'old' ? 'old' : 'new'), row)
  }

  #lease(reads: HoldLease['reads'], patienceMillis = 0): HoldLease {
    const { timings } = this.#options
    return {
      millis: timings.holdTimeoutMillis,
      reads,
      ended: async () => {
        const row = await endOfHold(this.m, this.core.side, patienceMillis)
        if (!row) return 'old'
        if (this.#moving) return row.side
        if (this.#member) await this.#member.serve(row)
        else this.rest(row)
        return row.side
      },
    }
  }
}
