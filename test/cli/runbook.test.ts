// Follows docs/runbook.md: its SQL, its config file and its commands in their order, and what it shows of their output.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { freshDatabases, type FreshDatabases } from '../support/databases.js'
import { run } from './run.js'

interface Block {
  readonly kind: string
  readonly text: string
}

const page = readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8')
const blocks: readonly Block[] = [...page.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(
  ([, kind = '', text = '']) => ({ kind, text }),
)

/** What an operator does beside the commands. */
const BY_HAND = /^(npm install |export )/

let databases: FreshDatabases
let folder: string

beforeAll(async () => {
  databases = await freshDatabases()
  folder = mkdtempSync(join(tmpdir(), 'runbook-'))
  for (const side of ['old', 'new'] as const) {
    vi.stubEnv(`${side.toUpperCase()}_DATABASE_URL`, as('app', databases[side]))
    vi.stubEnv(`${side.toUpperCase()}_COORDINATOR_URL`, as('coordinator', databases[side]))
  }
})

afterAll(async () => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
  for (const side of ['old', 'new'] as const)
    await onServer(side, `drop owned by ${own('shop_app')}, ${own('shop_coordinator')} cascade`)
  for (const side of ['old', 'new'] as const)
    await onServer(side, `drop role ${own('shop_app')}, ${own('shop_coordinator')}`)
  await databases.drop()
})

/** Roles belong to the whole server, which other tests share. */
const own = (text: string): string => text.replaceAll(/\bshop_(app|coordinator)\b/g, `${databases.name}_$1`)

function as(role: string, url: string): string {
  const given = new URL(url)
  given.username = own(`shop_${role}`)
  given.password = 'change-me'
  return given.href
}

async function onServer(side: 'old' | 'new', sql: string): Promise<void> {
  const client = new pg.Client(databases[side])
  await client.connect()
  await client.query(sql)
  await client.end()
}

/** Times, sizes and epochs differ from run to run. */
const withoutNumbers = (text: string): string => text.replaceAll(/\d[\d.,]*/g, 'N').replaceAll(/ +/g, ' ')

describe('the runbook', () => {
  it('has every step of the way', () => {
    const commands = blocks.flatMap(({ kind, text }) => (kind === 'sh' ? text.split('\n') : []))
    expect(commands.filter((line) => /prepare$|advance \w+$|rollback$|finish$|recover$/.test(line))).toEqual(
      ['prepare', 'advance shadow', 'advance live', 'rollback', 'advance live', 'finish', 'recover'].map(
        (command) => `npx pg-cutover ${command}`,
      ),
    )
  })

  it('can be followed', { timeout: 120_000 }, async () => {
    let shown = ''
    const acts: Readonly<Record<string, (text: string) => Promise<void>>> = {
      sql: async (text) => {
        const where = /^-- on (both|old|new)$/m.exec(text)?.[1]
        for (const side of ['old', 'new'] as const)
          if (where === 'both' || where === side) await onServer(side, own(text))
        expect(where).toBeDefined()
      },
      js: async (text) => {
        const name = /^\/\/ (\S+)\n/.exec(text)?.[1] ?? ''
        expect(name).not.toBe('')
        writeFileSync(join(folder, name), own(text).replace(`name: 'shop'`, `name: '${databases.name}'`))
        return Promise.resolve()
      },
      sh: async (text) => {
        shown = ''
        for (const line of text.trim().split('\n')) {
          if (BY_HAND.test(line)) continue
          const [npx, name, ...args] = line.split(' ')
          expect([npx, name]).toEqual(['npx', 'pg-cutover'])
          const { exit, out, err } = await run(args, {}, false, 'yes\n', { folder })
          expect({ line, exit, out, err }).toMatchObject({ exit: 0 })
          shown += out
        }
      },
      text: (text) => {
        for (const line of text.trim().split('\n'))
          expect(withoutNumbers(shown)).toContain(withoutNumbers(line))
        return Promise.resolve()
      },
    }
    for (const { kind, text } of blocks) await (acts[kind] as (typeof acts)[string])(text)
  })
})
