// What the adapter of Knex refuses: what is no Knex, no cutover, and every option that would be without effect.
import knex from 'knex'
import knexTarn from 'knex-tarn'
import pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import { knexClient } from '../../adapters/knex.js'
import { createCutover, memorySource, type Cutover } from '../../src/index.js'

// Nobody listens there, and nothing connects before it is used.
const ADDRESS = { host: '127.0.0.1', port: 1, user: 'nobody', password: 'the-secret' }

const made = (): Cutover =>
  createCutover({
    name: 'orders',
    old: ADDRESS,
    new: { ...ADDRESS, port: 2 },
    source: memorySource('old'),
    control: false,
    mirror: 'none',
  })

const cutover = made()
afterAll(() => cutover.end())

/** As a caller without types. */
const called = (...args: readonly unknown[]): unknown => Reflect.apply(knexClient, undefined, args)

const refused = (message: RegExp): unknown =>
  expect.objectContaining({
    name: 'CutoverError',
    code: 'ERR_OPTION',
    message: expect.stringMatching(message),
  })

function reasonOf(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('it was meant to be refused')
}

describe('knexClient', () => {
  it.each([
    ['nothing', () => undefined, /the first argument is of type undefined .*import knex from "knex"/],
    ['a module', () => ({ default: knex, knex }), /the first argument is of type object and no function/],
    ['an instance', () => knex({ client: 'pg' }), /is an instance that Knex has made/],
    ['another function', () => () => {}, /without Client and KnexTimeoutError/],
    [
      'a Knex with another client',
      () => Object.assign(() => ({}), { KnexTimeoutError: Error }),
      /the Postgres client of this Knex has no initializeDriver, initializePool/,
    ],
  ])('takes no Knex that is %s', (_, given, message) => {
    expect(reasonOf(() => called(given(), cutover))).toEqual(refused(message))
  })

  it.each([
    ['nothing', undefined, /the cutover is undefined/],
    [
      'a configuration',
      { connectionString: 'postgres://' },
      /the cutover is of type object; expected what createCutover/,
    ],
    ['a pool', new pg.Pool(), /neither its pool/],
  ])('takes no cutover that is %s', (_, given, message) => {
    expect(reasonOf(() => called(knex, given))).toEqual(refused(message))
  })

  it.each([
    ['an unknown one', { pool: {} }, /pool is no option; known are dialect/],
    ['a dialect by name', { dialect: 'pg' }, /dialect is "pg"; expected a class/],
    ['a dialect that is none', { dialect: Map }, /the dialect has no initializeDriver/],
  ])('takes no options that are %s', (_, options, message) => {
    expect(reasonOf(() => called(knex, cutover, options))).toEqual(refused(message))
  })

  it.each([
    ['3.3', knex],
    ['3.2', knexTarn],
  ])('makes a class for Knex %s that is its Postgres client', (_, given) => {
    const Client: unknown = called(given, cutover)
    expect(Client).toBeTypeOf('function')
    expect((Client as typeof knex.Client).prototype).toBeInstanceOf(given.Client)
    expect((Client as typeof knex.Client).prototype).toMatchObject({
      dialect: 'postgresql',
      driverName: 'pg',
    })
  })
})

describe.each([
  ['3.3', knex],
  ['3.2', knexTarn],
] as const)('a configuration for Knex %s', (_, given) => {
  const open = (config: object): unknown =>
    Reflect.apply(given, undefined, [{ ...config, client: called(given, cutover) }])

  it.each([
    [
      'an address',
      { connection: { host: 'db', password: 'the-secret' } },
      /connection\.host is given; expected at most connection\.types, since the addresses/,
    ],
    ['a URL', { connection: 'postgres://u:the-secret@db/x' }, /connection\.\w+ is given/],
    ['a function for the address', { connection: () => ADDRESS }, /connection is given as a function/],
    ['types that read nothing', { connection: { types: {} } }, /connection\.types has no getTypeParser/],
    ['a pool', { connectionPool: new pg.Pool() }, /connectionPool is given; expected none/],
    [
      'a size',
      { pool: { min: 0 } },
      /pool\.min is given; expected at most pool\.afterCreate and pool\.acquireTimeoutMillis, since the sizes/,
    ],
    ['another size', { pool: { max: 10 } }, /pool\.max is given/],
    ['a check of connections', { pool: { validate: () => true } }, /pool\.validate is given/],
    [
      'a hook that is none',
      { pool: { afterCreate: 'set' } },
      /pool\.afterCreate is of type string; expected a function/,
    ],
    ['no time', { acquireConnectionTimeout: 0 }, /acquireConnectionTimeout is 0; expected a whole number/],
    ['a time as text', { acquireConnectionTimeout: '5s' }, /acquireConnectionTimeout is of type string/],
    [
      'a time beyond the timers',
      { pool: { acquireTimeoutMillis: 2 ** 31 } },
      /acquireTimeoutMillis is 2147483648/,
    ],
  ])('may not have %s', (_name, config, message) => {
    const reason = reasonOf(() => open(config))
    expect(reason).toEqual(refused(message))
    expect(String(reason)).not.toContain('the-secret')
  })

  it('is taken when it says nothing of addresses and sizes', async () => {
    const db = open({
      searchPath: ['app'],
      acquireConnectionTimeout: 100,
      pool: { afterCreate: () => {} },
      version: '15',
    })
    expect(Reflect.get(Object(db), 'client')).toMatchObject({ version: '15', searchPath: ['app'] })
    await (db as { destroy(): Promise<void> }).destroy()
  })
})

it('opens no Knex on a cutover that was ended', async () => {
  const ended = made()
  await ended.end()
  expect(() => knex({ client: knexClient(knex, ended) })).toThrow(
    expect.objectContaining({ code: 'ERR_ENDED' }),
  )
})
