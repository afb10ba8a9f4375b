// Uses the packed tarball as a stranger would: from ESM, CommonJS, plain JavaScript and strict TypeScript.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as source from '../../src/index.js'
import { adapterEntries, manifest, packedConsumer, promisedFiles } from '../support/packed.js'
import type { Consumer } from '../support/packed.js'

const CONSUMER = `
const source = memorySource('old')
const url = 'postgres://nobody@127.0.0.1:1/nothing'
const cutover = createCutover({ name: 'orders', old: { connectionString: url }, new: { connectionString: url }, source, mirror: 'none' })
`

const USE = `${CONSUMER}
await cutover.ready()
console.log(cutover.pool instanceof pg.Pool, cutover.phase)
try { await cutover.pool.query('select 1') } catch (error) { console.log(error.code) }
await cutover.end()
try { createCutover({}) } catch (error) { console.log(isCutoverError(error, 'ERR_OPTION'), error instanceof CutoverError) }
`

const USED = 'true old\nECONNREFUSED\ntrue true\n'

let consumer: Consumer

beforeAll(async () => {
  consumer = await packedConsumer()
})

afterAll(() => consumer.remove())

describe('the tarball', () => {
  it('has everything that the manifest promises', () => {
    const promised = [...promisedFiles(), 'LICENSE', 'README.md', 'CHANGELOG.md']
    expect(promised.filter((path) => !consumer.files.includes(path))).toEqual([])
  })

  it('has nothing else: no sources, tests, servers or secrets', () => {
    const expected = /^(dist\/.+\.(js|d\.ts)|docs\/.+|LICENSE|README\.md|CHANGELOG\.md|package\.json)$/
    expect(consumer.files.filter((path) => !expected.test(path))).toEqual([])
  })
})

it('asks for none of the data layers that it has adapters for: whoever calls one brings it', () => {
  // An optional peer would only add to what npm may refuse to install; what is handed in is looked at when it is.
  const peers = ['@opentelemetry/api', '@types/pg', 'jiti', 'libpg-query', 'pg', 'prom-client']
  expect(Object.keys(manifest.peerDependencies)).toEqual(peers)
})

describe('the installed package, beside pg and nothing else', () => {
  it('is imported and used from ESM', async () => {
    const names = ['createCutover', 'memorySource', 'CutoverError', 'isCutoverError']
    consumer.write('esm.js', `import pg from 'pg'\nimport { ${names.join(', ')} } from 'pg-cutover'\n${USE}`)
    expect(await consumer.node('esm.js')).toMatchObject({ code: 0, stdout: USED })
  })

  it('is required and used from CommonJS', async () => {
    const head = `const pg = require('pg')\nconst { createCutover, memorySource, CutoverError, isCutoverError } = require('pg-cutover')\n`
    consumer.write('common.cjs', `${head}async function main() {${USE}}\nmain()\n`)
    expect(await consumer.node('common.cjs')).toMatchObject({ code: 0, stdout: USED })
  })

  it('is one module however it is loaded: two would be two gates', async () => {
    consumer.write(
      'both.cjs',
      `const required = require('pg-cutover')\nimport('pg-cutover').then((imported) => console.log(imported.CutoverError === required.CutoverError))\n`,
    )
    expect(await consumer.node('both.cjs')).toMatchObject({ code: 0, stdout: 'true\n' })
  })

  it('exports what the source does', async () => {
    consumer.write(
      'names.js',
      `console.log(JSON.stringify(Object.keys(await import('pg-cutover')).sort()))\n`,
    )
    const { stdout } = await consumer.node('names.js')
    expect(JSON.parse(stdout)).toEqual(Object.keys(source).toSorted())
    expect(Object.keys(source)).toEqual(
      expect.arrayContaining([
        'createCutover',
        'memorySource',
        'fileSource',
        'CutoverError',
        'isCutoverError',
      ]),
    )
  })

  it('has its adapters beside it, each one module however it is loaded', async () => {
    consumer.write(
      'adapters.cjs',
      `async function main() {
  const found = {}
  for (const entry of ${JSON.stringify(adapterEntries)}) {
    const required = require('pg-cutover/' + entry)
    const imported = await import('pg-cutover/' + entry)
    found[entry] = Object.keys(required).filter((name) => required[name] === imported[name]).sort()
  }
  console.log(JSON.stringify(found))
}
main()
`,
    )
    const { code, stdout, stderr } = await consumer.node('adapters.cjs')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const inSource: Record<string, string[]> = {}
    for (const entry of adapterEntries)
      inSource[entry] = Object.keys(
        (await import(`../../adapters/${entry}.ts`)) as Record<string, unknown>,
      ).toSorted()
    expect(JSON.parse(stdout)).toEqual(inSource)
    expect(Object.keys(inSource).length).toBeGreaterThanOrEqual(7)
  })

  it('refuses a configuration wherever an adapter wants a library or a cutover', async () => {
    consumer.write(
      'refusals.js',
      `import { isCutoverError } from 'pg-cutover'
const connectionString = 'postgres://nobody:hunter2@127.0.0.1:1/nothing'
for (const config of [{ connectionString }, connectionString, 'host=127.0.0.1 password=hunter2'])
  for (const entry of ${JSON.stringify(adapterEntries)})
    for (const [name, make] of Object.entries(await import('pg-cutover/' + entry)))
      try {
        make(config, config, config)
        console.log(entry, name, 'takes it')
      } catch (error) {
        if (!isCutoverError(error, 'ERR_OPTION') || !error.message.startsWith(name + ': ') || /hunter2/.test(error.message))
          console.log(entry, name, error)
      }
`,
    )
    expect(await consumer.node('refusals.js')).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  it('names the second copy of pg where a pool of it is handed in, and none of its settings', async () => {
    for (const part of ['pg-connection-string', 'pg-pool', 'pg-protocol', 'pg-types', 'pgpass'])
      consumer.add(part)
    consumer.addCopy('pg', 'pg-second')
    consumer.write(
      'copies.js',
      `import second from 'pg-second'
import pg from 'pg'
import { createCutover, memorySource } from 'pg-cutover'
const config = { connectionString: 'postgres://nobody:hunter2@127.0.0.1:1/nothing' }
const pool = new second.Pool(config)
console.log(pool instanceof pg.Pool)
try { createCutover({ name: 'orders', old: pool, new: config, source: memorySource('old') }) }
catch (error) { console.log(error.code, error.message) }
`,
    )
    const { stdout } = await consumer.node('copies.js')
    expect(stdout).toMatch(/^false\nERR_OPTION createCutover: old is an object of class BoundPool; expected /)
    expect(stdout).toContain('two copies of pg are installed')
    expect(stdout).toContain('Make `npm ls pg` show one version, or pass the config in place of the pool')
    expect(stdout).not.toContain('hunter2')
  })

  it('does not let its inside be imported', async () => {
    consumer.write('inside.js', `await import('pg-cutover/dist/src/errors.js')\n`)
    const { code, stderr } = await consumer.node('inside.js')
    expect(code).toBe(1)
    expect(stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED')
  })
})

describe('strict TypeScript', () => {
  const flags =
    '--noEmit --strict --exactOptionalPropertyTypes --target es2023 --module nodenext --types node'.split(' ')
  const head = `import pg from 'pg'\nimport { createCutover, memorySource } from 'pg-cutover'\nimport type { Cutover, Phase } from 'pg-cutover'\n${CONSUMER}`

  /** What the compiler says of each file; a compilation of all of them takes hardly longer than one of each. */
  async function complaints(
    files: Readonly<Record<string, string>>,
    ...more: string[]
  ): Promise<Record<string, string[]>> {
    for (const [name, text] of Object.entries(files)) consumer.write(name, text)
    const { stdout, stderr } = await consumer.tsc(...flags, ...more, ...Object.keys(files))
    expect(stderr).toBe('')
    const of: Record<string, string[]> = {}
    for (const said of stdout.split(/\n(?=\S)/).filter((line) => line !== ''))
      (of[said.match(/^(.+)\(\d+,\d+\): error /)?.[1] ?? 'elsewhere'] ??= []).push(said)
    return of
  }

  const REFUSED = [
    [
      'an option that does not exist',
      "createCutover({ name: 'a', old: {}, new: {}, source, holdMillis: 1 })",
      'holdMillis',
    ],
    ['a missing option', "createCutover({ name: 'a', old: {}, source })", "'new'"],
    ['a phase that does not exist', "await cutover.advance('later')", '\'"later"\''],
  ] as const

  describe('of a consumer that has pg and its types', () => {
    let said: Record<string, string[]>

    beforeAll(async () => {
      consumer.add('@types/node')
      consumer.add('@types/pg')
      const imports = adapterEntries.map((entry, nr) => `import * as a${nr} from 'pg-cutover/${entry}'`)
      const names = adapterEntries.map((_, nr) => `a${nr}`)
      // The declarations of the package are checked too: a consumer may not skip libraries.
      said = await complaints({
        'good.ts': `${head}
const pool: pg.Pool = cutover.pool
const phase: Phase | undefined = cutover.phase
const { rows } = await pool.query<{ id: number }>('select 1 as id')
export const id: number | undefined = rows[0]?.id
export const moved = async (one: Cutover): Promise<void> => { await one.advance('live'); await one.rollback(); await one.end() }
export { phase }
`,
        'adapters.ts': `${imports.join('\n')}\nexport const all = { ${names.join(', ')} }\n`,
        ...Object.fromEntries(
          REFUSED.map(([, code], nr) => [
            `refused-${nr}.ts`,
            `${head}void pg\nexport type Used = Cutover | Phase\n${code}\n`,
          ]),
        ),
      })
    })

    it('compiles it', () => {
      expect(said['good.ts']).toBeUndefined()
    })

    it('knows the adapters without the types of any library', () => {
      expect(said['adapters.ts']).toBeUndefined()
    })

    it.each(REFUSED.map(([what, , complaint], nr) => [what, complaint, `refused-${nr}.ts`] as const))(
      'refuses %s',
      (_, complaint, file) => {
        expect(said[file]).toEqual([expect.stringContaining(complaint)])
      },
    )

    it('has nothing to say of any other file', () => {
      expect(Object.keys(said).filter((file) => !file.startsWith('refused-'))).toEqual([])
    })
  })

  it('takes what applications have of flags, of measuring and of data layers, and gives what these take', async () => {
    for (const library of [
      '@launchdarkly/node-server-sdk',
      'launchdarkly-node-server-sdk',
      '@openfeature/server-sdk',
      '@openfeature/core',
      '@opentelemetry/api',
      'prom-client',
      '@prisma/adapter-pg',
      '@prisma/driver-adapter-utils',
      'knex',
      'pg-query-stream',
      'postgres',
      'sequelize',
      'slonik',
    ])
      consumer.add(library)
    const said = await complaints(
      {
        'flags.ts': `import { init } from '@launchdarkly/node-server-sdk'
import seven from 'launchdarkly-node-server-sdk'
import { OpenFeature } from '@openfeature/server-sdk'
import type { Source } from 'pg-cutover'
import { launchDarkly } from 'pg-cutover/launchdarkly'
import { openFeature } from 'pg-cutover/openfeature'
export const sources: Source[] = [
  launchDarkly(init('key'), 'flag', { on: 'live', off: 'shadow' }),
  launchDarkly(seven.init('key'), 'flag'),
  openFeature(OpenFeature.getClient(), 'flag'),
]
`,
        'observed.ts': `${head}
import * as api from '@opentelemetry/api'
import { metrics, trace } from '@opentelemetry/api'
import * as all from 'prom-client'
import client, { Registry } from 'prom-client'
import { openTelemetry } from 'pg-cutover/opentelemetry'
import { prometheus } from 'pg-cutover/prometheus'
export const stops: (() => void)[] = [
  openTelemetry(cutover, api),
  openTelemetry(cutover, { metrics, trace }, { meter: metrics.getMeter('a'), tracer: trace.getTracer('a') }),
  prometheus(cutover, client),
  prometheus(cutover, all, { registry: new Registry(), prefix: 'db_' }),
]
export type Used = Cutover | Phase | pg.Pool
`,
        'layers.ts': `${head}
import { PrismaPg } from '@prisma/adapter-pg'
import type { SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils'
import knex, { type Knex } from 'knex'
import QueryStream from 'pg-query-stream'
import postgres from 'postgres'
import { Sequelize } from 'sequelize'
import * as slonik from 'slonik'
import { knexClient } from 'pg-cutover/knex'
import { postgresOver } from 'pg-cutover/postgres-js'
import { prismaAdapter } from 'pg-cutover/prisma'
import { sequelizeModule } from 'pg-cutover/sequelize'
import { slonikDriver } from 'pg-cutover/slonik'
export const db: Knex = knex({ client: knexClient(knex, cutover) })
export const adapter: SqlDriverAdapterFactory = prismaAdapter(PrismaPg, cutover)
export const sql: postgres.Sql = postgresOver(cutover, () => postgres(url))
export const sequelize = new Sequelize({ dialect: 'postgres', dialectModule: sequelizeModule(pg, cutover) })
export const pool: Promise<slonik.DatabasePool> = slonik.createPool('postgres://', {
  driverFactory: slonikDriver(slonik, cutover, QueryStream),
})
export type Used = Cutover | Phase
`,
      },
      '--skipLibCheck',
    )
    expect(said).toEqual({})
  })
})
