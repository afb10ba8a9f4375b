// Moved to control/migration.ts, which both the mirror and the coordinator may import.
export * from '../control/migration.js'
