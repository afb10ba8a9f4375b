// The errors of slonik in place of the database's own, by the same rules as those of its own driver.
import type { SlonikModule } from './module.js'

export interface FailedQuery {
  readonly sql: string
  readonly values: readonly unknown[] | undefined
}

type Classes = SlonikModule<unknown>
type OfCause = {
  [K in keyof Classes]: Classes[K] extends new (cause: Error) => Error ? K : never
}[keyof Classes]

const BY_STATE: Readonly<Record<string, OfCause>> = {
  '23502': 'NotNullIntegrityConstraintViolationError',
  '23503': 'ForeignKeyIntegrityConstraintViolationError',
  '23505': 'UniqueIntegrityConstraintViolationError',
  '23514': 'CheckIntegrityConstraintViolationError',
  '23P01': 'CheckExclusionConstraintViolationError',
  '25P03': 'IdleTransactionTimeoutError',
  '57014': 'StatementTimeoutError',
  '57P01': 'BackendTerminatedError',
}

export function slonikError(slonik: Classes, error: Error, query: FailedQuery | undefined): Error {
  const message = error.message.toLowerCase()
  if (message.includes('connection terminated unexpectedly'))
    return new slonik.BackendTerminatedUnexpectedlyError(error)
  if (message.includes('connection terminated')) return new slonik.BackendTerminatedError(error)
  const state = 'code' in error ? String(error.code) : ''
  if (state === '22P02') return new slonik.InvalidInputError(error.message)
  if (state === '42601' && query) return new slonik.InputSyntaxError(error, query as never)
  // The state is the same as that of a timeout.
  if (state === '57014' && message.includes('due to user request'))
    return new slonik.StatementCancelledError(error)
  const name = BY_STATE[state]
  return name === undefined ? error : new slonik[name](error)
}
