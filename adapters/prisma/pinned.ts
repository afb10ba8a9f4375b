// The client extension that keeps each operation of Prisma on one side, however many statements it makes.
import type { Cutover } from '../../src/index.js'
import { checkCutover } from '../options.js'

/** What Prisma tells an extension of one operation; only what is used of it. */
interface Operation<Args, Result> {
  readonly args: Args
  readonly query: (args: Args) => PromiseLike<Result>
}

/** A client extension, as `prisma.$extends` takes it. */
export interface PinnedExtension {
  readonly name: string
  readonly query: {
    readonly $allModels: {
      $allOperations<Args, Result>(operation: Operation<Args, Result>): Promise<Result>
    }
  }
}

/**
 * Prisma's client extension that runs each operation of a model inside `cutover.pin`: `prisma.$extends(pinned(cutover))`.
 * Prisma answers `include`, `select` of a relation, nested writes and `upsert` with several statements, and without this
 * a change of writer may come between two of them, so that rows of one database are joined to rows of the other.
 *
 * An operation that begins during a hold waits for its end; one that began before it is waited for. Operations in a
 * transaction have one connection from their beginning to their end and need no pin; raw queries are one statement.
 * Throws `ERR_OPTION` for anything but a cutover.
 */
export function pinned(cutover: Cutover): PinnedExtension {
  checkCutover('pinned', cutover)
  return {
    name: 'pg-cutover',
    query: {
      $allModels: {
        $allOperations: (operation) => {
          const { args, query } = operation
          const ask = async () => await query(args)
          // A pin of its own would wait for the hold to end, and the hold for the transaction that waits for the pin.
          return isInTransaction(operation) ? ask() : cutover.pin(ask)
        },
      },
    },
  }
}

/** Prisma's own extension for read replicas reads it from there too. Where it is missing, a pin does no harm at rest. */
const isInTransaction = (operation: object): boolean =>
  '__internalParams' in operation && Object(operation.__internalParams).transaction !== undefined
