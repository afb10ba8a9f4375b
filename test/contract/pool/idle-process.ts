// A process that asks one query of the pool it is told to make, leaves the pool open, and says what happens until it ends.
import { factoryOf, isSubject } from './subjects.js'

const [subject = '', oldUrl = '', newUrl = '', config = '{}'] = process.argv.slice(2)
if (!isSubject(subject)) throw new Error(`no such pool: ${subject}`)

const { pool } = await factoryOf(
  subject,
  newUrl,
)({
  connectionString: oldUrl,
  ...(JSON.parse(config) as object),
})
pool.on('remove', () => console.log('remove'))
process.on('exit', () => console.log('exit'))

const { rows } = await pool.query<{ side: string }>('select side from marker')
console.log(rows[0]?.side)
console.log(`idle ${pool.idleCount}`)
