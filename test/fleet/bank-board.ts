// What the processes of a bank know of each other without a message: the last acknowledged number of each writer, in one file.
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { WRITERS } from './bank-schema.js'

const BYTES = 4

/**
 * A write to a file is there for the next read of any process, as memory that is shared would be: so whatever is read from
 * here was acknowledged before, and a read of the database that begins now has to see it.
 */
export class Board {
  readonly #file: number
  readonly #bytes = Buffer.alloc(BYTES)

  constructor(path: string) {
    this.#file = openSync(path, 'r+')
  }

  static make(path: string): void {
    const file = openSync(path, 'w')
    ftruncateSync(file, WRITERS * BYTES)
    closeSync(file)
  }

  acknowledged(writer: number): number {
    readSync(this.#file, this.#bytes, 0, BYTES, writer * BYTES)
    return this.#bytes.readInt32LE()
  }

  acknowledge(writer: number, nr: number): void {
    this.#bytes.writeInt32LE(nr)
    writeSync(this.#file, this.#bytes, 0, BYTES, writer * BYTES)
  }

  close(): void {
    closeSync(this.#file)
  }
}

/** What became of a write: acknowledged, refused for sure, or nobody knows. Lines of a file that a kill cannot take back. */
export type Fate = 'a' | 'r' | 'u'

export class FateLog {
  readonly #file: number

  constructor(path: string) {
    this.#file = openSync(path, 'a')
  }

  note(fate: Fate, writer: number, nr: number, code = ''): void {
    writeSync(this.#file, `${fate} ${writer} ${nr} ${code}\n`)
  }

  close(): void {
    closeSync(this.#file)
  }
}
