#!/usr/bin/env node
// The command `pg-cutover`: arguments in, text and an exit code out.
import { runCommandLine } from './command-line.js'

process.exitCode = await runCommandLine(process.argv.slice(2), process.env, {
  out: process.stdout,
  err: process.stderr,
  // Opened only when somebody is asked.
  get in() {
    return process.stdin
  },
})
