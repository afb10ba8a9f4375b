#!/usr/bin/env node
// The command `pg-cutover`: arguments in, text and an exit code out.
import { runCommandLine } from './command-line.js'

const exit = await runCommandLine(process.argv.slice(2), process.env, {
  out: process.stdout,
  err: process.stderr,
  // Opened only when somebody is asked.
  get in() {
    return process.stdin
  },
  onInterrupt: (listener) => {
    process.on('SIGINT', listener)
    process.on('SIGTERM', listener)
    return () => {
      process.off('SIGINT', listener)
      process.off('SIGTERM', listener)
    }
  },
})
// Not left to the event loop: a config file may have opened a pool or a client of a flag service, which stay open.
process.stdout.write('', () => process.stderr.write('', () => process.exit(exit)))
