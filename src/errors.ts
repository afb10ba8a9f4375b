// The one error class of the library, its documented codes, and the guard that recognises it across copies.

/** Every code a {@link CutoverError} can carry, with what is true of the data when it is thrown. */
export const ERROR_CODES = {
  ERR_OPTION: 'An option is unknown, missing or out of range. Nothing was done.',
  ERR_PHASE_UNKNOWN: 'No phase is known yet, so no side may be served. Nothing was sent.',
  ERR_PHASE_ILLEGAL: 'The move from the present phase to the wanted one is not allowed. Nothing changed.',
  ERR_SOURCE_VALUE: 'A source gave a value that is no phase. The last known phase stays.',
  ERR_BUSY: 'Another change of phase is running. Nothing changed.',
  ERR_ENDED: 'The cutover or pool was ended. Nothing was sent.',
  ERR_UNREACHABLE: 'A side could not be reached over its control connection.',
  ERR_PREFLIGHT: 'The databases are not ready; the findings name each reason and its fix. Nothing changed.',
  ERR_PREPARE: 'A step outside the pause failed. Traffic was not touched.',
  ERR_DRAIN_TIMEOUT: 'Transactions were still open at the deadline. The hold was lifted, nothing changed.',
  ERR_FENCE: 'The fence could not be closed in time. It was lifted again, nothing changed.',
  ERR_CATCH_UP_TIMEOUT: 'The other side did not catch up in time. The fence was lifted, nothing changed.',
  ERR_HOLD_TIMEOUT: 'The hold reached its end before the point of no return. It was lifted, nothing changed.',
  ERR_MEMBERS:
    'A process of the fleet did not follow in time, or may not take part. The hold was lifted everywhere, nothing changed.',
  ERR_ABORTED: 'Another process aborted this attempt. Nothing changed.',
  ERR_RIVAL: 'Another coordinator owns or has finished this epoch. Read the status before trying again.',
  ERR_OPEN_PENDING:
    'The right to write has left one side and the other could not be opened yet. No write is accepted; `recover` ends it.',
  ERR_IN_DOUBT:
    'It could not be found out in time which side may write, since the side being left did not answer. Nothing is written on two sides; `recover` ends it.',
  ERR_REVERSE:
    'Traffic has moved and is safe; the reverse mirror could not be enabled, so there is no way back until `recover`.',
  ERR_MISMATCH:
    'Compared reads have differed for real, so the writer was not changed. Nothing changed. `advance(phase, { despite: "mismatches" })` goes on all the same.',
  ERR_NOT_APPLIED:
    'The work was committed on the writer and is on record, but the other side did not have it within `awaitTimeoutMillis`. It will have it; do not repeat the work.',
  ERR_SESSION:
    'A connection made by `cutover.Client` could not be taken to the other side with all that its session held. It was closed; what waited on it was not sent.',
  '57P03':
    'A held call was given up at the end of its hold. It was never sent and may be retried. The code is the SQLSTATE cannot_connect_now, which data layers map as retryable.',
} as const satisfies Record<string, string>

export type CutoverErrorCode = keyof typeof ERROR_CODES

/** Everything that pg-cutover throws by itself; errors of the database pass through untouched. */
export class CutoverError extends Error {
  override readonly name = 'CutoverError'
  readonly code: CutoverErrorCode
  /** Only on `57P03`, where data layers expect the fields of a database error. */
  declare readonly severity?: 'FATAL'
  /** More for machines: findings, leases, steps. Never a secret. */
  declare readonly details?: Readonly<Record<string, unknown>>

  constructor(
    code: CutoverErrorCode,
    message: string,
    options: { cause?: unknown; details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    if (code === '57P03') this.severity = 'FATAL'
    if (options.details) this.details = options.details
  }
}

/** True for a CutoverError of any loaded copy of this library, and of the given code if one is named. */
export function isCutoverError(error: unknown, code?: CutoverErrorCode): error is CutoverError {
  if (!(error instanceof Error) || error.name !== 'CutoverError') return false
  const found = (error as Partial<CutoverError>).code
  return found !== undefined && Object.hasOwn(ERROR_CODES, found) && (code === undefined || found === code)
}
