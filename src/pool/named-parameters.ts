// Remembers which parameters with a dot in their names a session was given: no list of the server's has them.
import type { SessionClient } from './pg-internals.js'

const SET = /\bset\s+(?:session\s+)?("?[\w$]+"?(?:\."?[\w$]+"?)+)\s*(?:=|\s+to\b)/gi
const IS_SET_CONFIG = /set_config/i
const SET_CONFIG = /\bset_config\s*\(\s*(?:'([^']+)'|\$(\d+))/gi

interface Ended {
  /** The command's tag. */
  readonly text?: string
}

export class NamedParameters {
  readonly names = new Set<string>()

  watch(client: SessionClient): void {
    client.connection.on('commandComplete', ({ text: tag }: Ended) => {
      // The two that set a parameter, of which the second is one row in most cases.
      if (tag !== 'SET' && tag !== 'SELECT 1') return
      const active: { text?: string; values?: readonly unknown[] } | null | undefined = client._activeQuery
      const text = active?.text
      if (typeof text !== 'string') return
      if (tag === 'SET') for (const [, name = ''] of text.matchAll(SET)) this.#note(name)
      else if (IS_SET_CONFIG.test(text))
        for (const [, name, at] of text.matchAll(SET_CONFIG))
          this.#note(name ?? active?.values?.[Number(at) - 1])
    })
  }

  #note(name: unknown): void {
    if (typeof name === 'string' && name.includes('.')) this.names.add(name.replaceAll('"', ''))
  }
}
