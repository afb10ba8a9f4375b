// Two fresh databases with the same tables, their rows, and the means to drive the protocol statement by statement.
import pg from 'pg'
import { controlConnection } from '../../../src/control/control-connection.js'
import { DEFAULT_TIMINGS } from '../../../src/control/migration.js'
import type { Migration, Timings } from '../../../src/control/migration.js'
import { beginAttempt, endAttempt } from '../../../src/coordinator/attempt.js'
import type { Attempt } from '../../../src/coordinator/attempt.js'
import { ensureRows } from '../../../src/coordinator/begin-mirror.js'
import { ensureNextTriggers, ensureStandingTriggers } from '../../../src/coordinator/fence-triggers.js'
import { prepareFence } from '../../../src/coordinator/fence.js'
import { readLockPolicy } from '../../../src/coordinator/lock-policy.js'
import { readScope } from '../../../src/mirror/scope.js'
import { otherSide } from '../../../src/phase/phases.js'
import type { Side } from '../../../src/phase/phases.js'
import type { Gate } from '../../../src/pool/gate.js'
import { freshDatabases } from '../../support/databases.js'
import { plainMigration } from '../../support/plain-migration.js'

export interface ProtocolFixture {
  readonly m: Migration
  readonly urls: Readonly<Record<Side, string>>
  /** The same statements on both sides, as the superuser. */
  both(text: string): Promise<void>
  /** A client of the application's own role, which owns nothing of ours and is no superuser. */
  app(side: Side, config?: pg.ClientConfig): Promise<pg.Client>
  drop(): Promise<void>
}

export interface ProtocolOptions {
  readonly schema: string
  readonly mirror?: Migration['mirror']
  readonly timings?: Partial<Timings>
  readonly gate?: Gate
  readonly attempts?: number
  readonly tables?: readonly string[]
  /** Default `fence-only`. */
  readonly members?: Migration['members']
}

export const WIDE = 10_000

/** A migration over given databases; also for child processes. */
export function migrationOver(
  name: string,
  urls: Readonly<Record<Side, string>>,
  options: Omit<ProtocolOptions, 'schema'> = {},
): Migration {
  const control = (side: Side) => controlConnection({ side, config: { connectionString: urls[side] } })
  return plainMigration(
    name,
    { old: control('old'), new: control('new') },
    {
      reachedBy: urls,
      tables: options.tables,
      mirror: options.mirror ?? 'none',
      members: options.members ?? 'fence-only',
      attempts: options.attempts ?? 1,
      timings: { ...DEFAULT_TIMINGS, ...options.timings },
      ...(options.gate && { gate: options.gate }),
    },
  )
}

export async function protocolFixture(options: ProtocolOptions): Promise<ProtocolFixture> {
  const databases = await freshDatabases()
  const m = migrationOver(databases.name, databases, options)
  const clients: pg.Client[] = []
  const both = async (text: string): Promise<void> => {
    for (const side of ['old', 'new'] as const) await m.control[side].run(text)
  }
  const role = `app_${databases.name}`
  await both(`create role ${role} login password 'app'; ${options.schema};
    grant usage, create on schema public to ${role}; grant all on all tables in schema public to ${role}`)
  await ensureRows(m, 'old', 'old')
  return {
    m,
    urls: databases,
    both,
    async app(side, config) {
      const url = new URL(databases[side])
      url.username = role
      url.password = 'app'
      const client = new pg.Client({ connectionString: url.href, application_name: 'app', ...config })
      // Some tests have it killed.
      client.on('error', () => {})
      await client.connect()
      clients.push(client)
      return client
    },
    async drop() {
      for (const client of clients) await client.end().catch(() => {})
      await both(`drop owned by ${role}; drop role ${role}`).catch(() => {})
      await Promise.all([m.control.old.close(), m.control.new.close()])
      await databases.drop()
    },
  }
}

/** An attempt that stands right before its fence: triggers in place, the hold running. */
export async function preparedAttempt(m: Migration, from: Side = 'old'): Promise<Attempt> {
  const a = beginAttempt(m, from, from === 'old' ? 'live' : 'shadow')
  const deadline = performance.now() + WIDE
  const [row] = await m.control[from].run<{ epoch: string; now: number }>(
    `select epoch::text, extract(epoch from clock_timestamp())::float8 * 1000 as now
       from cutover.side where name = $1`,
    [m.name],
  )
  a.epoch = Number(row?.epoch) + 1
  a.scope = await readScope(m.control[from].run, m.tables)
  a.locks = await readLockPolicy(a.left.run, m.timings.fenceTimeoutMillis)
  await ensureStandingTriggers(m, otherSide(from), deadline)
  await ensureNextTriggers(m, from, a.epoch, a.scope, deadline)
  await prepareFence(a)
  const began = performance.now()
  a.hold = { began, ends: began + WIDE, serverEnds: (row?.now ?? 0) + WIDE }
  return a
}

/** Ends the attempt's connections even where the work fails. */
export async function withAttempt<T>(m: Migration, from: Side, work: (a: Attempt) => Promise<T>): Promise<T> {
  const a = await preparedAttempt(m, from)
  try {
    return await work(a)
  } finally {
    await endAttempt(a)
  }
}
