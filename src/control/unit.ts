// SQLSTATEs by which our server-side units say why they stopped, and what becomes of their errors.
import pg from 'pg'
import { CutoverError } from '../errors.js'
import type { CutoverErrorCode } from '../errors.js'

/** Raised by our own units; outside the classes that Postgres and the SQL standard use. */
export const UNIT = {
  /** The row is not as it was when the unit was sent. */
  guard: 'CO001',
  /** The locks were granted too late. */
  late: 'CO002',
  /** A table, a trigger or a publication is not as `prepare` has left it. */
  scope: 'CO003',
  /** A prepared transaction is in doubt. */
  prepared: 'CO004',
} as const

const LOCK_FAILURES: ReadonlySet<unknown> = new Set(['55P03', '40P01'])

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined

/** A lock that was not granted in time, or a deadlock that we lost. */
export const isLockFailure = (error: unknown): boolean => LOCK_FAILURES.has(codeOf(error))

/** The row is not as it was when the unit was sent. */
export const isGuardFailure = (error: unknown): boolean => codeOf(error) === UNIT.guard

/**
 * The server has answered that the statement failed, so that it has done nothing. Anything else is an unknown answer; by its
 * class, since `EPIPE` looks like an SQLSTATE.
 */
export const isServerError = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && !/^(08|57P)/.test(error.code ?? '08')

/** The table or its schema is not there: nothing was prepared yet, or by an older version. */
export const isMissingRelation = (error: unknown): boolean =>
  codeOf(error) === '42P01' || codeOf(error) === '3F000'

/** The session that had prepared the statement is gone. */
export const isMissingStatement = (error: unknown): boolean => codeOf(error) === '26000'

/** What the caller is told about a unit that failed. */
export function unitError(
  error: unknown,
  what: string,
  otherwise: CutoverErrorCode = 'ERR_PREPARE',
): unknown {
  if (error instanceof CutoverError) return error
  const reason = error instanceof Error ? error.message : String(error)
  if (isGuardFailure(error)) {
    return new CutoverError(
      'ERR_RIVAL',
      `${what}: another process has changed the right to write meanwhile`,
      {
        cause: error,
      },
    )
  }
  return new CutoverError(otherwise, `${what} failed: ${reason}`, { cause: error })
}
