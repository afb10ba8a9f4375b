// Prisma over the facade: its own driver adapter, on a pool that it must not mistake for a configuration.
import { CutoverError, type Cutover } from '../src/index.js'
import { checkCutover, refusal, shown } from './options.js'
import { copiesOfPg } from './prisma/copies-of-pg.js'

export { pinned } from './prisma/pinned.js'
export type { PinnedExtension } from './prisma/pinned.js'

/** What is used of a driver adapter that `PrismaPg` has connected. */
export interface ConnectedAdapter {
  underlyingDriver(): unknown
  dispose(): Promise<void>
}

/** A factory of driver adapters, as `PrismaClient` takes it. */
export interface PrismaAdapterFactory<Adapter extends ConnectedAdapter> {
  readonly provider: 'postgres'
  readonly adapterName: string
  connect(): Promise<Adapter>
}

/** The class `PrismaPg` of `@prisma/adapter-pg`. */
export type PrismaPgClass<Adapter extends ConnectedAdapter, Options> = new (
  pool: never,
  options?: Options,
) => PrismaAdapterFactory<Adapter>

/**
 * The `adapter` of a `PrismaClient` over both databases: `new PrismaClient({ adapter: prismaAdapter(PrismaPg, cutover) })`,
 * with the application's own `PrismaPg` of `@prisma/adapter-pg` 7. `options` are those of `PrismaPg`, but for
 * `disposeExternalPool`: each connected client has a pool of its own from `cutover.createPool()`, which `$disconnect()`
 * ends, and a client that is used again after `$disconnect()` gets a new one. The databases' connections stay open until
 * `cutover.end()`.
 *
 * Throws `ERR_OPTION` for anything but that class and a cutover. Connecting rejects with `ERR_OPTION` where
 * `@prisma/adapter-pg` uses another copy of `pg` than pg-cutover: it would open a pool on the defaults of `PGHOST` and its
 * like, which is another database. Nothing was connected to then. `await prisma.$connect()` at the start of the service
 * finds it out at once.
 */
export function prismaAdapter<Adapter extends ConnectedAdapter, Options>(
  PrismaPg: PrismaPgClass<Adapter, Options>,
  cutover: Cutover,
  options?: NoInfer<Options>,
): PrismaAdapterFactory<Adapter> & { connectToShadowDb(): Promise<never> } {
  checkClass(PrismaPg)
  checkCutover(WHERE, cutover)
  checkOptions(options)
  // The pool that Prisma knows by its own types of pg.
  const Factory = PrismaPg as unknown as new (
    pool: Cutover['pool'],
    options: object,
  ) => PrismaAdapterFactory<Adapter>

  return {
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    async connect() {
      const pool = cutover.createPool()
      let adapter: Adapter | undefined
      try {
        // A factory whose pool was ended would make one from that pool's options the next time: hence one for each.
        adapter = await new Factory(pool, { ...options, disposeExternalPool: true }).connect()
        if (adapter.underlyingDriver() === pool) return adapter
      } catch (error) {
        await pool.end()
        throw error
      }
      // Neither has connected to anything yet.
      await adapter.dispose()
      await pool.end()
      throw refusal(
        WHERE,
        `PrismaPg did not take the pool, since it is none of the pg that it imports (${copiesOfPg()})`,
        'one copy of pg; see `npm ls pg`, then `npm dedupe`, or `overrides` of pg in package.json',
      )
    },
    connectToShadowDb: () =>
      Promise.reject(
        new CutoverError(
          'ERR_OPTION',
          `${WHERE}: a shadow database was asked for; migrations are made on one database and never over the facade, so give Prisma Migrate the URL of that database`,
        ),
      ),
  }
}

const WHERE = 'prismaAdapter'
const CLASS = 'the class PrismaPg of @prisma/adapter-pg 7 (from 6.16 on, where it takes a pool)'

function checkClass(given: unknown): void {
  if (typeof given !== 'function') throw refusal(WHERE, `PrismaPg is ${shown(given)}`, CLASS)
  // Up to version 5 the class was the adapter itself, and no factory of them.
  const { prototype } = given as { readonly prototype?: { readonly connect?: unknown } }
  if (typeof prototype?.connect !== 'function')
    throw refusal(WHERE, `PrismaPg is ${given.name || 'a function'} without a method connect`, CLASS)
}

function checkOptions(options: unknown): void {
  if (options !== undefined && (typeof options !== 'object' || options === null))
    throw refusal(
      WHERE,
      `options are ${shown(options)}`,
      'the options of PrismaPg, such as { schema: "app" }',
    )
}
