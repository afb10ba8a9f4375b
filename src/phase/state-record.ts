// What is written in a state file: one line that can only be read back as it was written.
import { createHash } from 'node:crypto'
import { PHASE_NAMES, type Phase } from './phases.js'

const VERSION = 1
const MARK = '{"format":"pg-cutover state"'

export type StateReading =
  | { readonly kind: 'phase'; readonly phase: Phase }
  /** Nothing can be believed of it; `replaceable` where it was ours and nobody else's memory is lost with it. */
  | { readonly kind: 'fault'; readonly reason: string; readonly replaceable: boolean }

/** The line for a phase, with a checksum over everything before it. */
export function printState(name: string, phase: Phase, at: string): string {
  const told = `${MARK},"version":${VERSION},${JSON.stringify({ name, phase, at }).slice(1, -1)}`
  return `${told},"checksum":"${createHash('sha256').update(told).digest('hex')}"}\n`
}

/** Reads what {@link printState} has written, for this migration and no other. Reasons never quote the content. */
export function readState(content: Buffer, name: string): StateReading {
  const text = content.toString('utf8')
  // Some file systems leave zeros where a machine lost its power.
  if (content.every((byte) => byte === 0)) return damaged('is empty')
  if (!text.startsWith(MARK)) return fault('was not written by pg-cutover', false)
  const state = parsed(text)
  if (state === undefined) return damaged('is cut off or damaged')
  const { version, phase, at } = state
  if (version !== VERSION) return damaged('was written by a version of pg-cutover with another format')
  const known = PHASE_NAMES.find((one) => one === phase)
  // Whatever the damage is, what was read is then not what would have been written.
  if (known === undefined || text !== printState(String(state.name), known, String(at)))
    return damaged('has a wrong checksum')
  if (state.name !== name) return fault('belongs to another migration', false)
  return { kind: 'phase', phase: known }
}

const fault = (reason: string, replaceable: boolean): StateReading => ({ kind: 'fault', reason, replaceable })
const damaged = (reason: string): StateReading => fault(reason, true)

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>
  } catch {
    return undefined
  }
}
