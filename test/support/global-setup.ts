// Starts one pair of servers for a whole run of the tests.
import { Client } from 'pg'
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
  const pair = await startPair({
    seeds: project.getProvidedContext().seeds,
    // Where they are on a disk after all, each database that is dropped would wait for it; and no test cuts the power.
    settings: { fsync: 'off' },
    // Thousands of connections are made, and those to servers of a file's own show that the usual way works too.
    auth: 'password',
  })
  await Promise.all([pair.old, pair.new].map(visitTemplate))
  project.provide('servers', { old: address(pair.old), new: address(pair.new) })
  return () => pair.destroy()
}

/**
 * The first connection to a database writes down what each later one needs of its catalogs. A copy of the template has that
 * with it, so that its own first connection need not find it out again.
 */
async function visitTemplate(server: Server): Promise<void> {
  const client = new Client({ connectionString: server.url('template1') })
  await client.connect()
  await client.end()
}
