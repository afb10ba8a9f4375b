// Starts a coordinator in a process of its own, and kills it at the moment that it is doomed to.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { compiled } from '../../support/compiled.js'
import type { Doom } from './doomed-coordinator.js'

/** Resolves when it is dead. */
export async function killed(doom: Doom): Promise<void> {
  const { child, lines } = start(doom)
  const ended = once(child, 'exit')
  const said: string[] = []
  for await (const line of lines) {
    said.push(line)
    if (line === doom.at) break
  }
  child.kill('SIGKILL')
  await ended
  expect(said.at(-1)).toBe(doom.at)
}

/** Every step that it said. */
export async function runChild(doom: Doom): Promise<string[]> {
  const { lines } = start(doom)
  const said: string[] = []
  for await (const line of lines) said.push(line)
  return said
}

function start(doom: Doom) {
  const file = fileURLToPath(new URL('doomed-coordinator.ts', import.meta.url))
  const child = spawn(process.execPath, [compiled(file), JSON.stringify(doom)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return { child, lines: createInterface({ input: child.stdout }) }
}
