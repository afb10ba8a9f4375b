// How the tests are run: those without servers first, the others on one shared pair of servers.
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.js'
import { memoryFolder } from './test/support/memory-folder.js'

const WITHOUT_SERVERS = ['test/unit/**/*.test.ts', 'test/package/**/*.test.ts', 'test/support/**/*.test.ts']

// A database on disk costs a second to make and drop, most of it spent on waiting: there are hundreds of them.
const inMemory = memoryFolder()
if (inMemory !== undefined) process.env['TMPDIR'] ??= inMemory

export default defineConfig({
  test: {
    pool: 'forks',
    // Half of a test is waiting, for a server or for a time to pass: two for each of two processors keep these busy.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    testTimeout: 90_000,
    hookTimeout: 120_000,
    globalSetup: ['test/support/prisma-client.ts', 'test/support/compiled.ts', 'test/support/seeds.ts'],
    reporters: ['default', ['json', { outputFile: '.results/vitest.json' }]],
    setupFiles: ['test/support/leak-check.ts'],
    // A process that has begun takes one file after another: starting it and loading the library is most of what a file costs.
    isolate: false,
    projects: [
      { extends: true, test: { name: 'alone', include: WITHOUT_SERVERS } },
      {
        extends: true,
        test: {
          name: 'postgres',
          include: ['test/**/*.test.ts'],
          exclude: ['**/node_modules/**', ...WITHOUT_SERVERS],
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
    ],
  },
})
