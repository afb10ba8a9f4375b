// Runs the pool contract on pg.Pool and on CutoverPool in each route that serves at rest.
import { afterAll, describe } from 'vitest'
import { freshDatabases } from '../support/databases.js'
import { poolContract } from './pool.js'
import { factoryOf, subjects } from './pool/subjects.js'
import { createTables } from './pool/tables.js'

const databases = await freshDatabases()
await createTables(databases.old, 'old')
await createTables(databases.new, 'new')
afterAll(() => databases.drop())

describe.each(subjects)('%s', (subject) => {
  poolContract(factoryOf(subject, databases.new), {
    subject,
    oldUrl: databases.old,
    newUrl: databases.new,
    behavesLike: subject === 'pg.Pool' ? 'pg.Pool' : 'CutoverPool',
  })
})
