// Two fresh databases with the control schema and a migration between them, for the tests of the mirror and of preflight.
import { setTimeout as delay } from 'node:timers/promises'
import { controlConnection } from '../../../src/control/control-connection.js'
import type { Run } from '../../../src/control/control-connection.js'
import { ensureControlSchema } from '../../../src/control/schema.js'
import { insertMirror, insertWriter } from '../../../src/control/side-row.js'
import { DEFAULT_DUAL_WRITE, DEFAULT_TIMINGS } from '../../../src/control/migration.js'
import type { DualWriteSettings, Migration } from '../../../src/control/migration.js'
import type { ProgressEvent } from '../../../src/events.js'
import { dropStream } from '../../../src/mirror/replication.js'
import { freshDatabases } from '../../support/databases.js'
import { plainMigration } from '../../support/plain-migration.js'

export interface Fixture {
  readonly m: Migration
  readonly urls: { readonly old: string; readonly new: string }
  readonly old: Run
  readonly new: Run
  readonly progress: ProgressEvent[]
  readonly onProgress: (progress: ProgressEvent) => void
  /** The same statements on both sides. */
  both(text: string): Promise<void>
  drop(): Promise<void>
}

export interface FixtureOptions {
  readonly schema?: string
  /** In place of `schema`, where the sides differ. */
  readonly schemas?: Readonly<Record<'old' | 'new', string>>
  readonly tables?: readonly string[]
  /** With these the mirror is one by dual-write. */
  readonly dualWrite?: Partial<DualWriteSettings>
  /** Default true: the schema `cutover` with OLD as the writer. */
  readonly prepared?: boolean
}

export async function fixture(options: FixtureOptions = {}): Promise<Fixture> {
  const databases = await freshDatabases()
  const control = {
    old: controlConnection({ side: 'old', config: { connectionString: databases.old } }),
    new: controlConnection({ side: 'new', config: { connectionString: databases.new } }),
  }
  // Slots belong to the whole server, so a name of its own.
  const m = migrationBetween(databases.name, control, databases, options)
  const both = async (text: string): Promise<void> => {
    await Promise.all([control.old.run(text), control.new.run(text)])
  }
  if (options.schema !== undefined) await both(options.schema)
  for (const side of ['old', 'new'] as const)
    if (options.schemas) await control[side].run(options.schemas[side])
  if (options.prepared !== false) {
    await Promise.all([ensureControlSchema(control.old), ensureControlSchema(control.new)])
    await insertWriter(control.old, m.name, 'old')
    await insertMirror(control.new, m.name)
  }
  const progress: ProgressEvent[] = []
  return {
    m,
    urls: databases,
    old: control.old.run,
    new: control.new.run,
    progress,
    onProgress: (event) => void progress.push(event),
    both,
    async drop() {
      try {
        if (m.mirror === 'replication') for (const side of ['old', 'new'] as const) await dropStream(m, side)
      } finally {
        await control.old.close()
        await control.new.close()
        await databases.drop()
      }
    },
  }
}

export function migrationBetween(
  name: string,
  control: Migration['control'],
  reachedBy: { readonly old: string; readonly new: string },
  options: Pick<FixtureOptions, 'tables' | 'dualWrite'> = {},
): Migration {
  return plainMigration(name, control, {
    reachedBy: { old: reachedBy.old, new: reachedBy.new },
    tables: options.tables,
    mirror: options.dualWrite ? 'dual-write' : 'replication',
    dualWrite: { ...DEFAULT_DUAL_WRITE, ...options.dualWrite },
    timings: { ...DEFAULT_TIMINGS, copyTimeoutMillis: 20_000 },
  })
}

/** Resolves when the query gives `true`; the test's own time limit ends it otherwise. */
export async function until(run: Run, condition: string, values?: readonly unknown[]): Promise<void> {
  for (;;) {
    const [row] = await run<{ ok: boolean | null }>(`select (${condition}) as ok`, values)
    if (row?.ok === true) return
    await delay(10)
  }
}

/** The same of something that this process knows by itself, and tells nobody. */
export async function untilSo(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(5)
}

export async function one<T>(run: Run, expression: string, values?: readonly unknown[]): Promise<T> {
  const [row] = await run<{ value: T }>(`select (${expression}) as value`, values)
  if (!row) throw new Error(`no row for ${expression}`)
  return row.value
}
