// The settings of a session that compares, as statements for a client of a test.
import { PINNED_SETTINGS } from '../../src/shadow/ask.js'

export const PINNED_OUTPUT = Object.entries(PINNED_SETTINGS)
  .map(([name, value]) => `set ${name} = '${value}'`)
  .join('; ')
