// A disk that is full when the phase is to be remembered: the move goes on, and nobody starts on the side that was left.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { compiled } from '../support/compiled.js'
import { freshDatabases, runOn } from '../support/databases.js'

// A disk of its own needs a namespace of one's own, which not every machine gives: there the service's files may not grow any
// more, which it meets in the same place by another code.
const MOUNTED = `mount -t tmpfs -o size=32k none "$1" && exec "$2" "$3" "$4"`

it('the state file of direct mode on a full disk', async () => {
  const databases = await freshDatabases()
  const disk = mkdtempSync(join(tmpdir(), 'pg-cutover-disk-'))
  try {
    for (const side of ['old', 'new'] as const)
      await runOn(databases[side], [`create table here as select '${side}' as side`])
    const script = compiled(fileURLToPath(new URL('chaos-full-disk.ts', import.meta.url)))
    const run = promisify(execFile)
    const own = await run('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', disk]).then(
      () => true,
      () => false,
    )
    const given = [script, JSON.stringify({ urls: databases, disk, own })]
    const { stdout } = await (own
      ? run('unshare', ['-rm', 'sh', '-c', MOUNTED, 'sh', disk, process.execPath, ...given])
      : run(process.execPath, given))
    const code = own ? 'ENOSPC' : 'EFBIG'
    expect(stdout.trim().split('\n')).toEqual([
      'serves old',
      `the disk says ${code}`,
      code,
      'serves new',
      'the file has 0 bytes',
      'is empty',
      'begins with no phase',
      'serves new',
    ])
  } finally {
    rmSync(disk, { recursive: true })
    await databases.drop()
  }
})
