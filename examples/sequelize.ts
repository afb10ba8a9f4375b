// Sequelize: its own pool, with clients that go wherever the migration is.
import pg from 'pg'
import { Sequelize, type Options } from 'sequelize'
import { sequelizeModule } from '../adapters/sequelize.js'
import type { Cutover } from '../src/index.js'

export function openSequelize(cutover: Cutover, options: Options = {}): Sequelize {
  return new Sequelize({
    logging: false,
    ...options,
    dialect: 'postgres',
    dialectModule: sequelizeModule(pg, cutover),
  })
}

/** At shutdown: Sequelize closes its own connections, then the migration is ended. */
export async function shutDown(sequelize: Sequelize, cutover: Cutover): Promise<void> {
  await sequelize.close()
  await cutover.end()
}
