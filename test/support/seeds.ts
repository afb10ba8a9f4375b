// Gives the servers of a project's tests one folder, in which they find what initdb has made for another.
import type { TestProject } from 'vitest/node'
import { serverAccount, temporaryFolder } from './binaries.js'
import { keep } from './keeper.js'

declare module 'vitest' {
  export interface ProvidedContext {
    seeds: string
  }
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  // The root is set up after its projects, too late for the servers that these share.
  if (project.isRootProject()) return undefined
  const account = serverAccount()
  const folder = temporaryFolder('pg-cutover-seeds-', account)
  // Also when this process is killed.
  const keeper = keep({ folder, account })
  project.provide('seeds', folder)
  return () => keeper.clean()
}
