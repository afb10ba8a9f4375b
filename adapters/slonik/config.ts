// What slonik says to its driver, as pg takes it. Where to connect to is said by the migration.
import type { DriverConfiguration, SlonikModule } from './module.js'

export function clientConfig(slonik: SlonikModule<unknown>, given: DriverConfiguration): object {
  const { applicationName, options } = slonik.parseDsn(given.connectionUri)
  return {
    // Statements without values give one result, and several in one text are refused.
    queryMode: 'extended',
    application_name: applicationName,
    options,
    connectionTimeoutMillis: millis(given.connectionTimeout),
    statement_timeout: millis(given.statementTimeout),
    idle_in_transaction_session_timeout: millis(given.idleInTransactionSessionTimeout),
  }
}

// To pg nothing is no limit, to slonik it is the shortest.
const millis = (given: DriverConfiguration['connectionTimeout']): number | undefined =>
  given === 'DISABLE_TIMEOUT' ? undefined : Math.max(given, 1)
