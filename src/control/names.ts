// Names of everything that a migration stores in the two databases, all derived from the migration's own name.
import { createHash } from 'node:crypto'
import type { Side } from '../phase/phases.js'

/** The schema of everything stored. Postgres reserves the prefix `pg_`, hence not `pg_cutover`. */
export const CONTROL_SCHEMA = 'cutover'

/** `application_name` of every connection of ours that is not the application's. */
export const CONTROL_APPLICATION = 'pg-cutover control'

/** The migration's name as a part of SQL names: at most 31 characters of a-z, 0-9 and _, never equal for two names. */
function slugOf(name: string): string {
  const plain = name.toLowerCase().replace(/[^a-z0-9_]/g, '_')
  if (plain === name && plain.length <= 24) return plain
  return `${plain.slice(0, 24)}_${createHash('sha256').update(name).digest('hex').slice(0, 6)}`
}

/** One name for the publication, the slot and the subscription of a direction; they live in different places. */
export const streamName = (name: string, from: Side): string => `cutover_${slugOf(name)}_from_${from}`

/** The table (in the control schema) whose row proves that a stream has delivered everything before a fence. */
export const sentinelTable = (name: string, from: Side): string => `sentinel_${slugOf(name)}_from_${from}`

/** The table (in the control schema) with the record of changed keys of a migration that is mirrored by dual-write. */
export const recordTable = (name: string): string => `record_${slugOf(name)}`

/** Begins the names of the functions and triggers that write the record. */
export const captureName = (name: string): string => `cutover_capture_${slugOf(name)}`

/** Where changes of a migration's rows are announced. */
export const changeChannel = (name: string): string => `cutover_${slugOf(name)}`

/** Where members answer the coordinator of an attempt, who alone listens: each answer for each member would be many. */
export const answerChannel = (name: string): string => `cutover_${slugOf(name)}_answers`

export const fenceTrigger = (name: string, epoch: number): string => `cutover_fence_${slugOf(name)}_${epoch}`

/** `application_name` of the connections that read the record and write it to the other side. */
export const RELAY_APPLICATION = 'pg-cutover relay'

export const quoteIdent = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`

export const quoteLiteral = (value: string): string =>
  value.includes('\\')
    ? ` E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
    : `'${value.replaceAll("'", "''")}'`
