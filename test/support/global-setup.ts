// Starts one pair of servers for a whole run of the tests.
import type { TestProject } from 'vitest/node'
import { startPair } from './servers.js'
import type { Server } from './servers.js'

/** What a test file is told of a server: it must not stop it, since the other files are using it too. */
export interface Address {
  readonly host: string
  readonly port: number
  readonly password: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    servers: { readonly old: Address; readonly new: Address }
  }
}

const address = ({ host, port, password }: Server): Address => ({ host, port, password })

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Where they are on a disk after all, each database that is dropped would wait for it; and no test cuts the power.
  const pair = await startPair({ seeds: project.getProvidedContext().seeds, settings: { fsync: 'off' } })
  project.provide('servers', { old: address(pair.old), new: address(pair.new) })
  return () => pair.destroy()
}
