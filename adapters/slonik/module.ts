// What is used of the package slonik, by its shape, and whether what was handed in has it.
import { refusal, shown } from '../options.js'

type OfCause = new (cause: Error) => Error

/** The package `slonik`, as `import * as slonik from 'slonik'` gives it. */
export interface SlonikModule<Factory> {
  createDriverFactory(setup: never): Factory
  parseDsn(uri: string): { readonly applicationName?: string; readonly options?: string }
  readonly BackendTerminatedError: OfCause
  readonly BackendTerminatedUnexpectedlyError: OfCause
  readonly CheckExclusionConstraintViolationError: OfCause
  readonly CheckIntegrityConstraintViolationError: OfCause
  readonly ForeignKeyIntegrityConstraintViolationError: OfCause
  readonly IdleTransactionTimeoutError: OfCause
  readonly InputSyntaxError: new (cause: Error, query: never) => Error
  readonly InvalidInputError: new (message: string) => Error
  readonly NotNullIntegrityConstraintViolationError: OfCause
  readonly StatementCancelledError: OfCause
  readonly StatementTimeoutError: OfCause
  readonly UniqueIntegrityConstraintViolationError: OfCause
}

export interface TypeParser {
  /** As `pg_type.typname` has it. */
  readonly name: string
  parse(value: string): unknown
}

type Millis = number | 'DISABLE_TIMEOUT'

/** What a driver is told. */
export interface DriverConfiguration {
  readonly connectionUri: string
  readonly connectionTimeout: Millis
  readonly statementTimeout: Millis
  readonly idleInTransactionSessionTimeout: Millis
  readonly typeParsers: readonly TypeParser[]
}

export interface Field {
  readonly dataTypeId: number
  readonly name: string
}

const FUNCTIONS = [
  'createDriverFactory',
  'parseDsn',
  'BackendTerminatedError',
  'BackendTerminatedUnexpectedlyError',
  'CheckExclusionConstraintViolationError',
  'CheckIntegrityConstraintViolationError',
  'ForeignKeyIntegrityConstraintViolationError',
  'IdleTransactionTimeoutError',
  'InputSyntaxError',
  'InvalidInputError',
  'NotNullIntegrityConstraintViolationError',
  'StatementCancelledError',
  'StatementTimeoutError',
  'UniqueIntegrityConstraintViolationError',
] as const

/** Throws `ERR_OPTION` for anything but a slonik whose drivers are made as here. */
export function checkSlonik(where: string, given: unknown): void {
  const expected = 'the package slonik 47, as `import * as slonik from "slonik"` gives it'
  if (typeof given !== 'object' || given === null) throw refusal(where, `slonik is ${shown(given)}`, expected)
  const missing = FUNCTIONS.find((name) => typeof Reflect.get(given, name) !== 'function')
  if (missing !== undefined) throw refusal(where, `slonik is an object without ${missing}`, expected)
}
