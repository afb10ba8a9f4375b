// Runs the data layer contract on @fastify/postgres, and its transactions of whole requests through a cutover.
import fastify from 'fastify'
import { afterAll, describe, expect, it } from 'vitest'
import { registerPostgres, shutDown } from '../../../examples/fastify-postgres.js'
import { createCutover, memorySource } from '../../../src/index.js'
import { freshDatabases } from '../../support/databases.js'
import { dataLayerContract } from '../data-layer.js'
import { fastifyPostgresLayer } from './fastify-postgres.js'
import { signal } from './parts/together.js'
import { createDataLayerTables } from './tables.js'

dataLayerContract(fastifyPostgresLayer)

describe('a request that is one transaction', async () => {
  const databases = await freshDatabases()
  afterAll(() => databases.drop())

  it('ends on the side where it began, and the next ones are answered by the other', async () => {
    await createDataLayerTables(databases.old, 'old')
    await createDataLayerTables(databases.new, 'new')
    const cutover = createCutover({
      name: 'requests',
      old: { connectionString: databases.old, max: 2 },
      new: { connectionString: databases.new, max: 2 },
      source: memorySource('old'),
      control: false,
      mirror: 'none',
    })
    const app = fastify()
    await registerPostgres(app, cutover)
    const [begun, finish] = [signal(), signal()]
    app.route<{ Params: { text: string } }>({
      method: 'POST',
      url: '/note/:text',
      pg: { transact: true },
      handler: async ({ params, pg: client }) => {
        await client?.query('insert into note (text) values ($1)', [params.text])
        if (params.text === 'slow') {
          begun.give()
          await finish.given
        }
        return (await client?.query('select side from marker'))?.rows
      },
    })
    const post = async (text: string): Promise<unknown> =>
      (await app.inject({ method: 'POST', url: `/note/${text}` })).json()

    const slow = post('slow')
    await begun.given
    const flip = cutover.advance('new')
    while (cutover.status().route !== 'held') await new Promise((resolve) => cutover.once('route', resolve))
    const later = Promise.all([post('a'), post('b'), post('c')])
    finish.give()
    await flip
    expect(await slow).toEqual([{ side: 'old' }])
    expect(await later).toEqual([[{ side: 'new' }], [{ side: 'new' }], [{ side: 'new' }]])
    await shutDown(app, cutover)
  })
})
