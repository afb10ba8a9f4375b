// Holds every source file to the architecture: what it may import, and how it is named, sized and introduced.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { importsOf, violations } from '../support/floors.js'

const root = join(import.meta.dirname, '../..')

function sources(): Map<string, string> {
  const paths = ['src', 'adapters']
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(
        (path) => `${folder}/${path}`,
      ),
    )
    .filter((path) => path.endsWith('.ts'))
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]))
}

/** A house that is in order, with one file put into it. */
function violationsWith(path: string, text: string): string[] {
  return violations(
    new Map([
      ['src/errors.ts', '// Errors.\n'],
      ['src/phase/phases.ts', "// Phases.\nimport { CutoverError } from '../errors.js'\n"],
      [
        'src/pool/gate.ts',
        "// A gate.\nimport type { Phase } from '../phase/phases.js'\nimport { Pool } from 'pg'\n",
      ],
      ['src/index.ts', "// Public.\nexport { gate } from './pool/gate.js'\n"],
      [path, text],
    ]),
  )
}

describe('the source', () => {
  it('is there to be checked', () => {
    const files = sources()
    expect(files.has('src/index.ts')).toBe(true)
    expect([...files.values()].flatMap(importsOf).length).toBeGreaterThan(files.size)
  })

  it('keeps to the floors, the names and the sizes', () => {
    expect(violations(sources())).toEqual([])
  })
})

describe('the check', () => {
  it.each([
    [
      'an upward import',
      'src/phase/x.ts',
      "import { gate } from '../pool/gate.js'",
      'pool is not below phase',
    ],
    [
      'an upward type import',
      'src/phase/x.ts',
      "import type { Gate } from '../pool/gate.js'",
      'pool is not below phase',
    ],
    [
      'an upward re-export',
      'src/phase/x.ts',
      "export { gate } from '../pool/gate.js'",
      'pool is not below phase',
    ],
    [
      'an import over many lines',
      'src/phase/x.ts',
      "import {\n  gate,\n  other,\n} from '../pool/gate.js'",
      'pool is not below phase',
    ],
    ['an import for its effect', 'src/phase/x.ts', "import '../pool/gate.js'", 'pool is not below phase'],
    [
      'a dynamic import',
      'src/phase/x.ts',
      "const gate = await import('../pool/gate.js')",
      'pool is not below phase',
    ],
    [
      'an import from the same floor',
      'src/reads/x.ts',
      "import { gate } from '../pool/gate.js'",
      'pool is not below reads',
    ],
    [
      'an import of the index from inside',
      'src/pool/x.ts',
      "import { gate } from '../index.js'",
      'index is not below pool',
    ],
    [
      'an import of nothing',
      'src/pool/x.ts',
      "import { gate } from './gone.js'",
      'there is no src/pool/gone.ts',
    ],
    [
      'an adapter that looks inside',
      'adapters/knex.ts',
      "import { gate } from '../src/pool/gate.js'",
      'src/index.ts alone',
    ],
    ['a room on no floor', 'src/attic/x.ts', '', 'the room attic is on no floor'],
    ['a foreign package', 'src/pool/x.ts', "import knex from 'knex'", 'a package that it may not use'],
    [
      'a static import of the parser',
      'src/reads/x.ts',
      "import { parse } from 'libpg-query'",
      'a package that it may not use',
    ],
    [
      'the parser outside its room',
      'src/pool/x.ts',
      "void import('libpg-query')",
      'a package that it may not use',
    ],
    ['a barrel', 'src/pool/x.ts', "export * from './gate.js'", 'export * hides'],
    ['an empty name', 'src/pool/pool-utils.ts', '', 'a name that says nothing'],
    ['an empty folder name', 'src/pool/helpers/x.ts', '', 'a name that says nothing'],
    ['a long file', 'src/pool/x.ts', 'void 0\n'.repeat(250), '251 lines'],
  ])('finds %s', (_, path, code, complaint) => {
    expect(violationsWith(path, `// What it is for.\n${code}`)).toEqual([expect.stringContaining(complaint)])
  })

  it('finds a file that does not say what it is for', () => {
    expect(violationsWith('src/pool/x.ts', "import { Pool } from 'pg'\n")).toEqual([
      'src/pool/x.ts: does not begin with what it is for',
    ])
  })

  it.each([
    ['a downward import', 'src/pool/x.ts', "import { CutoverError } from '../errors.js'"],
    ['an import from its own room', 'src/pool/x.ts', "import { gate } from './gate.js'"],
    ['a built-in module', 'src/pool/x.ts', "import { once } from 'node:events'"],
    ['the parser, loaded by its room', 'src/reads/x.ts', "const parser = await import('libpg-query')"],
    ["the CLI's own libraries", 'src/cli/main.ts', "import { Command } from 'commander'"],
    [
      'an adapter with its peer',
      'adapters/knex.ts',
      "import knex from 'knex'\nimport { gate } from '../src/index.js'",
    ],
    ['a comment that speaks of an import', 'src/phase/x.ts', " * import { gate } from '../pool/gate.js'"],
  ])('lets pass %s', (_, path, code) => {
    expect(violationsWith(path, `// What it is for.\n${code}\n`)).toEqual([])
  })
})
