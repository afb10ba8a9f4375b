// TypeORM over the facade: it makes its pool by the `driver` that it is given, here a view of its own.
import pg from 'pg'
import { DataSource, type DataSourceOptions } from 'typeorm'
import type { Cutover } from '../src/index.js'

/** The options of the data source but for those of the connection, which are the migration's. */
export type Options = Partial<Pick<DataSourceOptions, 'entities' | 'migrations' | 'logger' | 'logging'>>

export function openTypeOrm(cutover: Cutover, options: Options = {}): Promise<DataSource> {
  const driver = {
    ...pg,
    // Called with `new`: what a constructor returns is what `new` gives.
    Pool: function Pool() {
      return cutover.createPool()
    },
  }
  return new DataSource({ ...options, type: 'postgres', driver }).initialize()
}

/** At shutdown: TypeORM with its view first, then the migration with its connections. */
export async function shutDown(dataSource: DataSource, cutover: Cutover): Promise<void> {
  await dataSource.destroy()
  await cutover.end()
}
