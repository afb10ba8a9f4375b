// Knex before 3.3, which has no pool but its own, as the data layer contract knows it.
import knexTarn, { type Knex as KnexTarn } from 'knex-tarn'
import type { Knex } from 'knex'
import { knexClient } from '../../../adapters/knex.js'
import { knexLayer, knexSession, QUIET, stockConfig, timeoutOf } from './knex.js'
import type { DataLayer } from './subject.js'

/** The two versions have the same types where they are used here. */
const open = (config: Knex.Config): Knex => knexTarn(config as unknown as KnexTarn.Config) as unknown as Knex

export const knexTarnLayer: DataLayer = {
  ...knexLayer,
  name: 'Knex before 3.3',
  packages: ['knex-tarn', 'pg', 'pg-query-stream'],
  special: 'as the present Knex',
  openStock: (url, options) => Promise.resolve(knexSession(open(stockConfig(url, options)))),
  openFacade: (cutover, _urls, options) =>
    Promise.resolve(
      knexSession(
        open({
          ...QUIET,
          ...timeoutOf(options),
          client: knexClient(knexTarn, cutover) as unknown as typeof Knex.Client,
        }),
      ),
    ),
}
