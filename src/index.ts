// The public surface of pg-cutover.
export { createCutover } from './cutover/create-cutover.js'
export type { AdvanceOptions, Cutover, PinOptions } from './cutover/cutover.js'
export type { Heard, Listener, Listening } from './cutover/listener.js'
export type { FleetStatus, PhaseFrom, StateFileStatus } from './cutover/mode.js'
export type { Status } from './cutover/status.js'
export type { MirrorStatus, StuckRow } from './mirror/lag.js'
export type { Supervised, SupervisedOptions } from './cutover/supervised-part.js'
export type { Shadow } from './cutover/shadowing.js'
export type { ControlOptions, CutoverOptions, DualWriteOptions, ShadowOptions } from './cutover/options.js'
export { CutoverError, ERROR_CODES, isCutoverError } from './errors.js'
export type { CutoverErrorCode } from './errors.js'
export type {
  CutoverEvent,
  EventMap,
  MismatchEvent,
  ProgressEvent,
  RogueBackend,
  StepEvent,
} from './events.js'
export { fileSource } from './phase/file-source.js'
export type { FileSourceOptions } from './phase/file-source.js'
export { memorySource } from './phase/memory-source.js'
export type { MemorySource } from './phase/memory-source.js'
export { postgresSource } from './phase/postgres-source.js'
export type { PostgresSourceOptions } from './phase/postgres-source.js'
export { postgresSourceSql } from './phase/postgres-wish-table.js'
export { PHASES } from './phase/phases.js'
export type { Phase, PhaseRow, Side, Wish } from './phase/phases.js'
export type {
  Mismatch,
  Outcome,
  Percentiles,
  PlanChange,
  ShadowReport,
  ShadowTotals,
  Skip,
  StatementReport,
} from './shadow/report.js'
export type { SampledCall, Sampler, Source, SourceReport, WatchedMigration } from './phase/source.js'
