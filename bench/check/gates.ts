// All gates by name; each is loaded in a process of its own.
import type { Gate } from './gate.js'

export const GATES = {
  'call-promises': async () => (await import('./call.js')).callPromises,
  'call-bytes': async () => (await import('./call.js')).callBytes,
  'call-cpu': async () => (await import('./call.js')).callCpu,
  phase: async () => (await import('./phase.js')).phase,
  read: async () => (await import('./read.js')).read,
  held: async () => (await import('./held.js')).held,
  server: async () => (await import('./server.js')).server,
} as const satisfies Record<string, () => Promise<Gate>>

export type GateName = keyof typeof GATES
export const GATE_NAMES = Object.keys(GATES) as GateName[]
