// Reads rows of the roster.
import type { Row } from '../control/control-connection.js'
import { parsePhase, type Side } from '../phase/phases.js'
import type { Answer, Member } from './words.js'

/** The columns that {@link membersOf} reads. */
export const MEMBER_COLUMNS = `m.member, m.host, m.pid, m.service, m.version, m.protocol, m.side, m.phase, m.epoch::text,
  m.in_flight, m.oldest_millis, m.backends, m.beat::text, m.heard::text, m.joined::text, m.attempt, m.said, m.reason`

/** Rows of an outer join may have nobody. */
export const membersOf = (rows: readonly Row[]): Member[] =>
  rows
    .filter(({ member }) => member !== null)
    .map((row) => ({
      member: String(row['member']),
      host: String(row['host']),
      pid: Number(row['pid']),
      service: String(row['service']),
      version: String(row['version']),
      protocol: Number(row['protocol']),
      side: row['side'] as Side,
      phase: parsePhase(row['phase']),
      epoch: Number(row['epoch']),
      inFlight: Number(row['in_flight']),
      oldestMillis: row['oldest_millis'] === null ? undefined : Number(row['oldest_millis']),
      backends: row['backends'] as number[],
      beat: Number(row['beat']),
      heard: String(row['heard']),
      joined: String(row['joined']),
      attempt: typeof row['attempt'] === 'string' ? row['attempt'] : undefined,
      said: (row['said'] ?? undefined) as Answer | undefined,
      reason: typeof row['reason'] === 'string' ? row['reason'] : undefined,
    }))
