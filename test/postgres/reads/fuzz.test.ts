// Runs whatever is called a read, out of thousands of texts that nobody would write, and looks for what it left behind.
import { randomInt } from 'node:crypto'
import { Client, type DatabaseError, type Notification } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { statementsBy, type Statements } from '../../../src/reads/statements.js'
import { freshDatabases, type FreshDatabases, type Side } from '../../support/databases.js'
import * as table from '../../unit/statements-table.js'
import { RandomStatements } from './random-statements.js'
import { SCHEMA } from './schema.js'

const SEED = Number(process.env['READS_SEED'] ?? randomInt(2 ** 31))
const TEXTS = 1_500

const SEEN = [...table.STEADY, ...table.MOVING, ...table.CHOICES, ...table.DISGUISED, ...table.WRITES].filter(
  (text) => !/generate_series|explain analyze/.test(text),
)

/** What a session and its database have that no read may change. */
const TRACES = `
  select (select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks,
         (select last_value::int from s) as last_value,
         (select md5(string_agg(name || setting, ',' order by name)) from pg_settings) as settings,
         (select count(*)::int from pg_listening_channels()) as channels,
         (select count(*)::int from pg_class) as relations,
         pg_current_xact_id_if_assigned()::text as id`

let databases: FreshDatabases
let parsed: Statements
let worded: Statements

beforeAll(async () => {
  databases = await freshDatabases()
  const parser = await import('libpg-query')
  await parser.loadModule()
  parsed = statementsBy(parser)
  worded = statementsBy(undefined)
})

afterAll(() => databases.drop())

async function connected(side: Side): Promise<Client> {
  const client = new Client(databases[side])
  await client.connect()
  return client
}

describe.each(['old', 'new'] as const)(`on the %s side (READS_SEED=${SEED})`, (side) => {
  it('no text that is called a read writes or leaves a trace', { timeout: 60_000 }, async () => {
    const client = await connected(side)
    const listener = await connected(side)
    try {
      await client.query(SCHEMA)
      for (const statements of [parsed, worded]) await statements.learn(side, (text) => client.query(text))
      const heard: Notification[] = []
      listener.on('notification', (one) => heard.push(one))
      await listener.query('listen x')
      await client.query("set default_transaction_read_only = on; set statement_timeout = '300ms'")
      const before = await client.query(TRACES)

      const random = new RandomStatements(side === 'old' ? SEED : SEED + 1, SEEN)
      const wrong: string[] = []
      let reads = 0
      let understood = 0
      for (let count = 0; count < TEXTS; count++) {
        const text = random.next()
        const [isRead, isWorded] = [parsed.isRead(text, side), worded.isRead(text, side)]
        // A text that cannot be parsed is refused by the server, whatever its words are.
        const isWrite = parsed.of(text).verdict !== 'read' && parsed.fingerprint(text) !== undefined
        if (isWorded && isWrite) wrong.push(`by words alone: ${text}`)
        if (!isRead && !isWorded) continue
        reads++
        const error = await client.query(text).then(
          () => undefined,
          (reason: DatabaseError) => reason,
        )
        if (error === undefined) understood++
        else if (error.code === '25006') wrong.push(`refused as a write: ${text}`)
      }
      expect(wrong).toEqual([])
      expect((await client.query(TRACES)).rows).toEqual(before.rows)
      await listener.query("notify x, 'the last'")
      expect(heard.map(({ payload }) => payload)).toEqual(['the last'])
      // Else it would have shown nothing.
      expect(reads).toBeGreaterThan(TEXTS / 20)
      expect(understood).toBeGreaterThan(TEXTS / 40)
    } finally {
      await Promise.all([client.end(), listener.end()])
    }
  })
})
