// The pools that the contract is run on, each by name, and how one of them is made.
import pg from 'pg'
import type { PoolFactory } from './fixture.js'

export const subjects = ['pg.Pool'] as const
export type Subject = (typeof subjects)[number]

export function isSubject(name: string): name is Subject {
  return subjects.some((subject) => subject === name)
}

/** How pools of a subject are made. `newUrl` is the side they must never send anything to. */
export function factoryOf(subject: Subject, newUrl: string): PoolFactory {
  void subject
  void newUrl
  return plainPool
}

const plainPool: PoolFactory = (config) => {
  const pool = new pg.Pool(config)
  return Promise.resolve({ pool, dispose: () => (pool.ending ? Promise.resolve() : pool.end()) })
}
