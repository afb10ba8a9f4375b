// Holds every statement of the table against both servers: what is called a read, and whether the server agrees.
import { Client, type DatabaseError } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { statementsBy, type Statements } from '../../../src/reads/statements.js'
import { freshDatabases, type FreshDatabases, type Side } from '../../support/databases.js'
import * as table from '../../unit/statements-table.js'
import { SCHEMA } from './schema.js'

const READS = [...table.STEADY, ...table.MOVING, ...table.CHOICES, ...table.TOTAL]
const OTHERS = [...table.DISGUISED, ...table.WRITES, ...table.SESSION, ...table.TRANSACTION]

let databases: FreshDatabases
let clients: Record<Side, Client>
let parsed: Statements
let worded: Statements

beforeAll(async () => {
  databases = await freshDatabases()
  clients = { old: new Client(databases.old), new: new Client(databases.new) }
  const parser = await import('libpg-query')
  await parser.loadModule()
  parsed = statementsBy(parser)
  worded = statementsBy(undefined)
  for (const side of ['old', 'new'] as const) {
    await clients[side].connect()
    await clients[side].query(SCHEMA)
    for (const statements of [parsed, worded])
      await statements.learn(side, (text) => clients[side].query(text))
  }
})

afterAll(async () => {
  await Promise.all([clients.old.end(), clients.new.end()])
  await databases.drop()
})

/** What the server says of a text in a transaction that may not write: its error's code, or nothing. */
async function refused(client: Client, text: string): Promise<string | undefined> {
  await client.query('begin read only; set local statement_timeout = 5000')
  const values = (text.match(/\$\d/g) ?? []).map(() => null)
  const error = await client.query(text, values).then(
    () => undefined,
    (reason: DatabaseError) => reason,
  )
  await client.query('rollback')
  return error && `${error.code} ${error.message}`
}

describe.each(['old', 'new'] as const)('on the %s side', (side) => {
  it('calls each read of the table a read, and the server does as well', async () => {
    const wrong: string[] = []
    for (const text of READS) {
      if (!parsed.isRead(text, side)) wrong.push(`no read: ${text}`)
      const error = await refused(clients[side], text)
      if (error !== undefined) wrong.push(`${error}: ${text}`)
    }
    expect(wrong).toEqual([])
  })

  it('calls nothing else one', () => {
    expect(OTHERS.filter((text) => parsed.isRead(text, side))).toEqual([])
  })

  it('tells which answers are steady and which the server may choose', () => {
    const is = (texts: readonly string[], check: (text: string) => boolean) =>
      texts.filter((text) => !check(text))
    expect(is([...table.STEADY, ...table.TOTAL], (text) => parsed.isSteady(text, side))).toEqual([])
    expect(is(table.MOVING, (text) => !parsed.isSteady(text, side))).toEqual([])
    expect(is([...table.STEADY, ...table.TOTAL], (text) => !parsed.isChoice(text, side))).toEqual([])
    expect(is(table.CHOICES, (text) => parsed.isChoice(text, side))).toEqual([])
    expect(is(table.TOTAL, (text) => parsed.isTotal(text, side))).toEqual([])
    expect(is(table.CHOICES, (text) => !parsed.isTotal(text, side))).toEqual([])
  })

  it('calls by words alone only what the parser calls a read too, and most of that', () => {
    const reads = [...READS, ...OTHERS, ...table.NEWER].filter((text) => worded.isRead(text, side))
    expect(reads.filter((text) => !parsed.isRead(text, side))).toEqual([])
    expect(reads.length).toBeGreaterThan(READS.length * 0.75)
    expect(table.MOVING.filter((text) => worded.isSteady(text, side))).toEqual([])
    expect(table.CHOICES.filter((text) => worded.isRead(text, side) && !worded.isChoice(text, side))).toEqual(
      [],
    )
  })
})

it('knows the syntax of the newer server', async () => {
  const wrong: string[] = []
  for (const text of table.NEWER) {
    if (!parsed.isRead(text, 'new')) wrong.push(`no read: ${text}`)
    const error = await refused(clients.new, text)
    if (error !== undefined) wrong.push(`${error}: ${text}`)
  }
  expect(wrong).toEqual([])
})
