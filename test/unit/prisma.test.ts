// What the Prisma adapter takes and refuses, and that a second copy of pg is found out before anything is connected.
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { cpSync, mkdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { pinned, prismaAdapter } from '../../adapters/prisma.js'
import { PrismaClient } from '../../examples/prisma/generated/client.js'
import { createCutover, memorySource, type Cutover } from '../../src/index.js'
import { temporaryFolder } from '../support/binaries.js'

const nowhere = { connectionString: 'postgres://nobody:hunter2@127.0.0.1:1/nothing' }

let cutovers: Cutover[] = []

async function migrate(): Promise<Cutover> {
  const cutover = createCutover({
    name: 'prisma',
    old: nowhere,
    new: { ...nowhere },
    source: memorySource('old'),
  })
  cutovers.push(cutover)
  await cutover.ready()
  return cutover
}

afterEach(async () => {
  vi.unstubAllEnvs()
  for (const cutover of cutovers.splice(0)) await cutover.end()
})

const refused = (call: () => unknown): unknown => {
  try {
    return call()
  } catch (error) {
    return error
  }
}

/** As `PrismaPg` was up to version 5: the adapter itself, made of a pool. */
class PrismaPgOfVersion5 {
  startTransaction(): void {}
}

describe('prismaAdapter', () => {
  const loose = prismaAdapter as unknown as (...args: readonly unknown[]) => unknown

  it.each<[string, unknown, string]>([
    ['an instance of PrismaPg', new PrismaPg(nowhere), 'PrismaPg is of type object'],
    ['nothing', undefined, 'PrismaPg is undefined'],
    ['a function', () => undefined, 'without a method connect'],
    [
      'the class of a version that takes no pool',
      PrismaPgOfVersion5,
      'PrismaPgOfVersion5 without a method connect',
    ],
  ])('refuses %s as PrismaPg', async (_, given, got) => {
    const cutover = await migrate()
    expect(refused(() => loose(given, cutover))).toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringMatching(new RegExp(`^prismaAdapter: .*${got}.*expected the class PrismaPg`)),
    })
  })

  it.each<[string, unknown]>([
    ['the configuration of a pool', nowhere],
    ['a URL', nowhere.connectionString],
    ['nothing', undefined],
  ])('refuses %s as the cutover, and shows none of it', (_, given) => {
    for (const [name, call] of [
      ['prismaAdapter', () => loose(PrismaPg, given)],
      ['pinned', () => pinned(given as Cutover)],
    ] as const) {
      const reason = refused(call)
      expect(reason).toMatchObject({
        code: 'ERR_OPTION',
        message: expect.stringMatching(new RegExp(`^${name}: the cutover is .*createCutover`)),
      })
      expect(String(reason)).not.toContain('hunter2')
    }
  })

  it('refuses the pool of the cutover as the cutover', async () => {
    const { pool } = await migrate()
    expect(refused(() => loose(PrismaPg, pool))).toMatchObject({ code: 'ERR_OPTION' })
  })

  it.each([['a string'], [5], [null]])('refuses %j as options', async (options) => {
    const cutover = await migrate()
    expect(refused(() => loose(PrismaPg, cutover, options))).toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringContaining('options are'),
    })
  })

  it('hands the options of PrismaPg on', async () => {
    const adapter = await prismaAdapter(PrismaPg, await migrate(), { schema: 'app' }).connect()
    expect(adapter.getConnectionInfo()).toMatchObject({ schemaName: 'app' })
    await adapter.dispose()
  })

  it('gives each connection a pool of its own, and ends that alone', async () => {
    const cutover = await migrate()
    const factory = prismaAdapter(PrismaPg, cutover, { disposeExternalPool: false })
    const [first, second] = [await factory.connect(), await factory.connect()]
    const pools = [first.underlyingDriver(), second.underlyingDriver(), cutover.pool]
    expect(new Set(pools).size).toBe(3)
    for (const pool of pools) expect(pool).toBeInstanceOf(pg.Pool)
    await first.dispose()
    expect(pools.map(({ ended }) => ended)).toEqual([true, false, false])
    await second.dispose()
    expect(pools.map(({ ended }) => ended)).toEqual([true, true, false])
    const again = await factory.connect()
    expect(again.underlyingDriver()).not.toBe(pools[0])
    await again.dispose()
  })

  it('tells of broken idle connections where PrismaPg is asked to', async () => {
    const told: Error[] = []
    const factory = prismaAdapter(PrismaPg, await migrate(), {
      onPoolError: (error) => void told.push(error),
    })
    const adapter = await factory.connect()
    const broken = new Error('broken')
    adapter.underlyingDriver().emit('error', broken, new pg.Client())
    expect(told).toEqual([broken])
    await adapter.dispose()
  })

  it('ends the pool that it made where connecting fails', async () => {
    const cutover = await migrate()
    const failure = new Error('no connection today')
    let given: pg.Pool | undefined
    class Failing extends PrismaPg {
      constructor(pool: pg.Pool, options?: ConstructorParameters<typeof PrismaPg>[1]) {
        super(pool, options)
        given = pool
      }
      override connect() {
        return Promise.reject(failure)
      }
    }
    await expect(prismaAdapter(Failing, cutover).connect()).rejects.toBe(failure)
    expect(given?.ended).toBe(true)
    expect(cutover.pool.ended).toBe(false)
  })

  it('makes no shadow database, and says where to', async () => {
    const factory = prismaAdapter(PrismaPg, await migrate())
    await expect(factory.connectToShadowDb()).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringContaining('Prisma Migrate'),
    })
  })

  it('says so when the migration was ended', async () => {
    const cutover = await migrate()
    const prisma = new PrismaClient({ adapter: prismaAdapter(PrismaPg, cutover) })
    await cutover.end()
    await expect(prisma.$connect()).rejects.toMatchObject({ name: 'CutoverError', code: 'ERR_ENDED' })
  })
})

describe('pinned', () => {
  const surroundings = new AsyncLocalStorage<string>()
  const stub = () => {
    const pin = vi.fn(async (work: () => Promise<unknown>) => await surroundings.run('the pin', work))
    return { pin, extension: pinned({ createPool: () => undefined, pin } as unknown as Cutover) }
  }

  it('sends an operation inside its pin, although Prisma sends nothing before somebody waits for it', async () => {
    const sentIn: unknown[] = []
    class Recording extends PrismaPg {
      override async connect() {
        const adapter = await super.connect()
        adapter.queryRaw = () => {
          sentIn.push(surroundings.getStore())
          return Promise.resolve({ columnNames: ['id', 'text'], columnTypes: [], rows: [] })
        }
        return adapter
      }
    }
    const { pin, extension } = stub()
    const client = new PrismaClient({ adapter: new Recording(nowhere) })
    const pinnedClient = client.$extends(extension)
    expect(await pinnedClient.note.findMany()).toEqual([])
    expect(sentIn).toEqual(['the pin'])
    // One statement by nature.
    await pinnedClient.$queryRaw`select 1`
    expect(sentIn).toEqual(['the pin', undefined])
    expect(pin).toHaveBeenCalledTimes(1)
    await pinnedClient.$disconnect()
  })

  it.each(['itx', 'batch'])('makes no pin in a transaction: %s', async (kind) => {
    const { pin, extension } = stub()
    const query = vi.fn(() => Promise.resolve('result'))
    const operation = { args: { where: {} }, query, __internalParams: { transaction: { kind } } }
    expect(await extension.query.$allModels.$allOperations(operation)).toBe('result')
    expect(query.mock.calls).toEqual([[{ where: {} }]])
    expect(pin).not.toHaveBeenCalled()
  })
})

describe('a second copy of pg', () => {
  const folder = temporaryFolder('pg-cutover-two-pgs-', undefined)
  const modules = join(folder, 'node_modules')
  const installed = join(import.meta.dirname, '../../node_modules')
  mkdirSync(join(modules, '@prisma'), { recursive: true })
  cpSync(join(installed, '@prisma/adapter-pg'), join(modules, '@prisma/adapter-pg'), { recursive: true })
  symlinkSync(join(installed, '@prisma/driver-adapter-utils'), join(modules, '@prisma/driver-adapter-utils'))
  // Another version of pg, which another library has brought.
  symlinkSync(join(installed, 'pg-promise/node_modules/pg'), join(modules, 'pg'))
  afterAll(() => rmSync(folder, { recursive: true }))

  const foreign = async (): Promise<typeof PrismaPg> => {
    const entry = pathToFileURL(join(modules, '@prisma/adapter-pg/dist/index.mjs')).href
    return ((await import(entry)) as { PrismaPg: typeof PrismaPg }).PrismaPg
  }

  /** What pg would connect to when it is told nothing, and how often it did. */
  async function defaultServer() {
    const server = createServer((socket) => {
      taken++
      socket.destroy()
    })
    let taken = 0
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    vi.stubEnv('PGHOST', '127.0.0.1')
    vi.stubEnv('PGPORT', String((server.address() as AddressInfo).port))
    return { taken: () => taken, close: () => once(server.close(), 'close') }
  }

  it('makes PrismaPg go to another database, with nothing said', async () => {
    const server = await defaultServer()
    const prisma = new PrismaClient({ adapter: new (await foreign())((await migrate()).pool) })
    await prisma.$connect()
    await expect(prisma.$queryRaw`select 1`).rejects.toThrow()
    expect(server.taken()).toBeGreaterThan(0)
    await prisma.$disconnect()
    await server.close()
  })

  it('is found out when Prisma connects, with both places named, and nothing is connected', async () => {
    const server = await defaultServer()
    const cutover = await migrate()
    const there = vi.spyOn(process, 'cwd').mockReturnValue(folder)
    const prisma = new PrismaClient({ adapter: prismaAdapter(await foreign(), cutover) })
    const places = ['pg', 'pg-promise/node_modules/pg'].map((name) => realpathSync(join(installed, name)))
    for (const call of [
      () => prisma.$connect(),
      () => prisma.$queryRaw`select 1`,
      () => prisma.note.findMany(),
    ])
      await expect(call()).rejects.toMatchObject({
        code: 'ERR_OPTION',
        message: expect.stringMatching(new RegExp(`${places.join('.*')}.*npm dedupe`)),
      })
    there.mockRestore()
    expect(server.taken()).toBe(0)
    expect(cutover.pool.totalCount).toBe(0)
    await server.close()
  })

  it('is named as far as it can be found, and both pools that were made are ended', async () => {
    const cutover = await migrate()
    const views = vi.spyOn(cutover, 'createPool')
    const foreigners: pg.Pool[] = []
    class Watched extends (await foreign()) {
      override async connect() {
        const adapter = await super.connect()
        foreigners.push(adapter.underlyingDriver())
        return adapter
      }
    }
    const there = vi.spyOn(process, 'cwd').mockReturnValue(dirname(folder))
    await expect(prismaAdapter(Watched, cutover).connect()).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringMatching(
        /pg-cutover uses .*[/\\]pg, @prisma\/adapter-pg uses a copy that could not be found/,
      ),
    })
    there.mockRestore()
    const made = views.mock.results.map(({ value }) => value as pg.Pool)
    expect([made, foreigners].map((pools) => pools.map(({ ended }) => ended))).toEqual([[true], [true]])
    expect(cutover.pool.ended).toBe(false)
  })
})
