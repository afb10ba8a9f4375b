// Libraries that are used over the facade and are no data layers: what docs/clients.md says of them.
import type { DataLayer } from './subject.js'

export interface Recipe extends Pick<DataLayer, 'name' | 'packages' | 'handIn' | 'special' | 'example'> {
  /** The file of their tests, beside this one, without `.test.ts`. */
  readonly file: string
}

export const recipes: readonly Recipe[] = [
  {
    name: 'connect-pg-simple',
    packages: ['connect-pg-simple', 'express-session', 'express'],
    handIn: 'new PgStore({ pool: cutover.createPool() })',
    special:
      'its `close()` stops the pruning and leaves the view to be ended by you; make its table on both sides first',
    example: 'examples/connect-pg-simple.ts',
    file: 'connect-pg-simple',
  },
  {
    name: 'graphile-worker',
    packages: ['graphile-worker', 'pg'],
    handIn:
      'cutover.supervise({ name, start: () => run({ pgPool: cutover.createPool(), … }), stop: () => runner.stop() })',
    special:
      'it keeps a client for LISTEN, so it has to be supervised; its schema is to be in the scope of the mirror',
    example: 'examples/graphile-worker.ts',
    file: 'graphile-worker',
  },
  {
    name: 'pg-boss',
    packages: ['pg-boss', 'pg'],
    handIn: 'new PgBoss({ db: { executeSql: (text, values) => pool.query(text, values) }, migrate: false })',
    special:
      'supervised; its schema, with a partition for each queue, is made on both sides first and in the scope of the mirror',
    example: 'examples/pg-boss.ts',
    file: 'pg-boss',
  },
]
