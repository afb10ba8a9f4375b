// pg itself, as the data layer contract knows it.
import { inTransaction, openPool } from '../../../examples/pg.js'
import { pgCode, pgSession } from './pg-session.js'
import { stockPool } from './stock-pool.js'
import type { DataLayer } from './subject.js'

export const pgLayer: DataLayer = {
  name: 'pg',
  packages: ['pg', 'pg-query-stream'],
  handIn: 'cutover.createPool()',
  special: '',
  example: 'examples/pg.ts',
  acquireTimeoutOf: 'pool',
  lacks: ['migrate'],
  openStock(url, options) {
    const pool = stockPool(url, options)
    return Promise.resolve(
      pgSession(
        pool,
        (work, begin) => inTransaction(pool, work, begin),
        () => pool.end(),
      ),
    )
  },
  openFacade(cutover) {
    const pool = openPool(cutover, () => undefined)
    return Promise.resolve(
      pgSession(
        pool,
        (work, begin) => inTransaction(pool, work, begin),
        () => pool.end(),
      ),
    )
  },
  sqlState: pgCode,
}
