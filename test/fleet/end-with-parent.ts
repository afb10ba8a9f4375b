// Ends a process of a fleet when the test that has started it is gone, however that ended: nothing is left behind.

/** Call it in a process whose standard input is a pipe to the one that started it. Keeps no process alive. */
export function endWithParent(): void {
  process.stdin
    .on('end', () => process.exit(1))
    .resume()
    .unref()
}
