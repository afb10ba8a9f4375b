// Checks what was given to `listen`.
import { readTable, type OptionTable } from '../options.js'
import type { Listener } from './listener.js'

const TABLE: OptionTable<{ readonly channel: string; readonly listener: Listener }> = {
  channel: {
    required: true,
    expected: 'the name of a channel, 1 to 63 bytes',
    // LISTEN would cut a longer one, and hear nothing.
    accepts: (value) =>
      typeof value === 'string' && value !== '' && !value.includes('\0') && Buffer.byteLength(value) <= 63,
  },
  listener: {
    required: true,
    expected: 'a function',
    accepts: (value) => typeof value === 'function',
  },
}

/** Throws `ERR_OPTION`. */
export function checkListen(channel: string, listener: Listener): void {
  readTable(TABLE, { channel, listener }, 'listen: ')
}
