// A migration in direct mode that is connected to nothing, with a status that may be told to say more.
import { onTestFinished } from 'vitest'
import { createCutover, memorySource, type Cutover, type Status } from '../../src/index.js'

export interface Unconnected {
  readonly cutover: Cutover
  /** From now on the status says this besides, and nothing that it was told before. */
  say(more: Partial<Status>): void
  /** How often the status was asked for. */
  readonly asked: number
}

/** To be called in a test, at whose end it is ended. */
export async function unconnected(name = 'orders'): Promise<Unconnected> {
  // Nothing listens there, and nothing connects.
  const nowhere = { connectionString: 'postgres://nobody:hunter2@127.0.0.1:1/nothing' }
  const cutover = createCutover({ name, old: nowhere, new: { ...nowhere }, source: memorySource('old') })
  onTestFinished(() => cutover.end())
  await cutover.ready()
  const status = cutover.status.bind(cutover)
  let told: Partial<Status> = {}
  let asked = 0
  cutover.status = () => {
    asked++
    return { ...status(), ...told }
  }
  return {
    cutover,
    say(more) {
      told = more
    },
    get asked() {
      return asked
    },
  }
}

/** What a server might say of a mirror. */
export const someMirror = {
  kind: 'replication',
  from: 'old',
  to: 'new',
  healthy: true,
  lagBytes: 4096,
  lagMillis: 1_500,
  ageMillis: 250,
  retainedBytes: 16_777_216,
  measuredAt: new Date().toISOString(),
} as const satisfies Status['mirror']

export const someRecord = {
  ...someMirror,
  kind: 'dual-write',
  lagBytes: undefined,
  records: 12,
  rowsPerSecond: 345.5,
  leader: 'shop-1 process 17',
  leading: true,
  stuck: 2,
  backfilledRows: 400,
  backfillRows: 1_000,
} as const satisfies Status['mirror']
