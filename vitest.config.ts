// How the tests are run: files without I/O and package tests on their own, the others on one shared pair of servers.
import { defineConfig } from 'vitest/config'

const WITHOUT_SERVERS = ['test/unit/**/*.test.ts', 'test/package/**/*.test.ts', 'test/support/**/*.test.ts']

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ['default', ['json', { outputFile: '.results/vitest.json' }]],
    projects: [
      {
        extends: true,
        test: {
          name: 'alone',
          include: WITHOUT_SERVERS,
          setupFiles: ['test/support/leak-check.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'postgres',
          include: ['test/**/*.test.ts'],
          exclude: ['**/node_modules/**', ...WITHOUT_SERVERS],
          setupFiles: ['test/support/leak-check.ts'],
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
    ],
  },
})
