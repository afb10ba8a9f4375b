// MikroORM 6 over the facade: it brings a Knex of its own, which is the one that must be given the cutover.
import { knex, MikroORM, PostgreSqlKnexDialect, type Knex, type Options } from '@mikro-orm/postgresql'
import pg from 'pg'
import { knexClient } from '../adapters/knex.js'
import type { Cutover } from '../src/index.js'

export function openMikroOrm(
  cutover: Cutover,
  options: Options,
  config: Knex.Config = {},
): Promise<MikroORM> {
  const driverOptions = knex({
    ...config,
    client: knexClient(knex, cutover, { dialect: PostgreSqlKnexDialect }),
    connection: { types: { getTypeParser } },
  })
  // Else MikroORM would make a database by the name in its options where there is none.
  return MikroORM.init({ ...options, driverOptions, ensureDatabase: false })
}

// MikroORM reads dates, timestamps and intervals itself, and arrays of them; on its own pool it sets these by itself.
const TEXT = 25
const TEXTS = 1009
const READ_AS: ReadonlyMap<number, number> = new Map([
  ...[1082, 1114, 1184, 1186].map((type) => [type, TEXT] as const),
  ...[1182, 1115, 1185, 1187].map((type) => [type, TEXTS] as const),
])

const getTypeParser = (type: number, format: unknown): unknown =>
  Reflect.apply(pg.types.getTypeParser, undefined, [READ_AS.get(type) ?? type, format])

/** At shutdown: MikroORM with its view first, then the migration with its connections. */
export async function shutDown(orm: MikroORM, cutover: Cutover): Promise<void> {
  await orm.close()
  await cutover.end()
}
