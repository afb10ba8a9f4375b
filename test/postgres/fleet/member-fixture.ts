// One real process as a member, and its coordinator's side by hand: calls, rows and what was answered.
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Migration } from '../../../src/control/migration.js'
import { readSide, type SideRow } from '../../../src/control/side-row.js'
import { ensureRows } from '../../../src/coordinator/begin-mirror.js'
import { call } from '../../../src/fleet/call-row.js'
import { listMembers } from '../../../src/fleet/roster.js'
import type { Answer, Call, Member, Stage } from '../../../src/fleet/words.js'
import { createCutover, memorySource } from '../../../src/index.js'
import type { Cutover, CutoverOptions, MemorySource, Phase, Side } from '../../../src/index.js'
import { freshDatabases, type FreshDatabases } from '../../support/databases.js'
import { startProxy, type Proxy } from '../../support/proxy.js'
import { migrationOver } from '../protocol/fixture.js'

export interface Fleet {
  readonly databases: FreshDatabases
  /** A migration of its own, with rows that say `writer` on the old side. */
  migration(phase?: Phase): Promise<Played>
  process(name: string, more?: Partial<CutoverOptions>): OneProcess
  proxyTo(side: Side): Promise<Proxy>
  /** A process that reaches the old side by one way alone. */
  behind(name: string, more?: Partial<CutoverOptions>): Promise<OneProcess & { readonly way: Proxy }>
  /** The same with a way for the member's own connection and another one for those of its pool. */
  behindTwo(name: string): Promise<OneProcess & { readonly own: Proxy; readonly pool: Proxy }>
  /** With the proxies, of which none keeps anything back any more. */
  endAll(): Promise<void>
  drop(): Promise<void>
}

export interface OneProcess {
  readonly cutover: Cutover
  readonly source: MemorySource
}

/** A coordinator that does what the test says. */
export interface Played {
  readonly m: Migration
  readonly name: string
  /** Asks all members; the attempt is the same until it is over. */
  ask(stage: Stage, more?: Partial<Call>): Promise<void>
  /** Writes a side's row as the protocol would, with its announcement unless that is lost. */
  row(
    side: Side,
    epoch: number,
    status: SideRow['status'],
    more?: { lost?: boolean; phase?: Phase },
  ): Promise<void>
  read(side: Side): Promise<SideRow | undefined>
  roster(side: Side): Promise<Member[]>
  /** Resolves when the only member has answered so. */
  answered(said: Answer): Promise<Member>
}

export async function fleet(): Promise<Fleet> {
  const databases = await freshDatabases()
  const migrations: Migration[] = []
  let made: Cutover[] = []
  let proxies: Proxy[] = []
  const admin = migrationOver('admin', databases)
  migrations.push(admin)
  for (const side of ['old', 'new'] as const)
    await admin.control[side].run(
      `create table public.marker (side text); insert into public.marker values ('${side}')`,
    )
  const oneProcess: Fleet['process'] = (name, more = {}) => {
    const source = memorySource('old')
    const cutover = createCutover({
      name,
      old: { connectionString: databases.old },
      new: { connectionString: databases.new },
      source,
      control: true,
      mirror: 'none',
      tables: ['public.marker'],
      ...more,
    })
    made.push(cutover)
    return { cutover, source }
  }
  const proxyTo = async (side: Side): Promise<Proxy> => {
    const proxy = await startProxy(Number(new URL(databases[side]).port))
    proxies.push(proxy)
    return proxy
  }
  return {
    databases,
    async migration(phase = 'old') {
      const m = migrationOver(`member_${randomBytes(4).toString('hex')}`, databases, { members: 'barrier' })
      migrations.push(m)
      await ensureRows(m, 'old', phase)
      return played(m)
    },
    process: oneProcess,
    proxyTo,
    async behind(name, more) {
      const way = await proxyTo('old')
      const options = {
        old: { connectionString: way.url(databases.old) },
        control: { oldReachedBy: 'host=unused' },
        holdTimeoutMillis: 10_000,
        ...more,
      }
      return { ...oneProcess(name, options), way }
    },
    async behindTwo(name) {
      const [own, pool] = [await proxyTo('old'), await proxyTo('old')]
      const options = {
        old: { connectionString: pool.url(databases.old) },
        control: { old: own.url(databases.old), oldReachedBy: 'host=unused' },
        holdTimeoutMillis: 10_000,
      }
      return { ...oneProcess(name, options), own, pool }
    },
    async endAll() {
      for (const proxy of proxies) await proxy.resume()
      await Promise.all(made.map((cutover) => cutover.end()))
      for (const proxy of proxies) await proxy.close()
      made = []
      proxies = []
    },
    async drop() {
      for (const { control } of migrations) await Promise.all([control.old.close(), control.new.close()])
      await databases.drop()
    },
  }
}

function played(m: Migration): Played {
  const { name } = m
  let attempt = randomUUID()
  const roster = (side: Side): Promise<Member[]> => listMembers(m.control[side].run, name)
  return {
    m,
    name,
    async ask(stage, more = {}) {
      await call(m.control.old.run, name, {
        attempt,
        epoch: 1,
        stage,
        coordinator: 'the test',
        target: 'live',
        tables: ['public.marker'],
        outcome: undefined,
        reason: undefined,
        ...more,
      })
      if (stage === 'over') attempt = randomUUID()
    },
    async row(side, epoch, status, { lost = false, phase } = {}) {
      await m.control[side].run(
        `update cutover.side set epoch = $2, status = $3, phase = coalesce($4, phase),
                opened = case $3 when 'writer' then $2 else opened end where name = $1`,
        [name, epoch, status, phase ?? null],
      )
      if (!lost)
        await m.control[side].run(`select pg_notify($1, $2)`, [
          `cutover_${name}`,
          `${side} ${status} ${epoch}`,
        ])
    },
    read: (side) => readSide(m.control[side], name),
    roster,
    async answered(said) {
      return until(async () => {
        const [member] = await roster('old')
        return member?.said === said ? member : undefined
      })
    },
  }
}

/** Looks until it is so; the test's own time is the bound. */
export async function until<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    await delay(3)
  }
}

export const sideOf = async (cutover: Cutover): Promise<string> =>
  (await cutover.pool.query<{ side: string }>('select side from marker')).rows[0]?.side ?? 'none'

/** Resolves when the process's route is of this kind. */
export async function routeOf(cutover: Cutover, route: string): Promise<void> {
  while (cutover.status().route !== route) await once(cutover, 'route')
}
