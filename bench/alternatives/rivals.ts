// What is measured at rest: each rival with what it stands in place of, opened on one server.
import pg from 'pg'
import type { Cutover } from '../../src/index.js'
import { MAX, type Contender } from '../clients/contender.js'
import { imported, packageVersion } from './present.js'

export interface Rival {
  readonly name: string
  readonly version: string
  open(): Promise<Contender>
}

/** Rivals of one base; all of them do the same work. */
export interface Group {
  readonly base: Rival
  readonly rivals: readonly Rival[]
  /** Queries of a slice, as a share of those of the others. */
  readonly share: number
}

const READ = 'select id, text from note where id = $1'
const WRITE = 'update note set text = $2 where id = $1'

const reads = (pool: pg.Pool): Contender => ({
  ask: (id) => pool.query(READ, [id]),
  close: () => pool.end(),
})

const writes = (pool: pg.Pool): Contender => ({
  ask: (id) => pool.query(WRITE, [id, `note ${id}`]),
  close: () => pool.end(),
})

const poolTo = (url: string): pg.Pool => new pg.Pool({ connectionString: url, max: MAX })

export interface Ground {
  readonly url: string
  readonly cutover: Cutover
  /** The same database behind PgBouncer; undefined where that is not installed. */
  readonly bouncer: { readonly version: string; readonly url: string } | undefined
}

/** Adds to `missing` a line for each rival that is not installed. */
export async function groupsOf({ url, cutover, bouncer }: Ground, missing: string[]): Promise<Group[]> {
  const found = async <T>(
    what: string,
    packages: readonly string[],
    load: () => Promise<T>,
    make: (here: T) => readonly Rival[],
  ): Promise<readonly Rival[]> => {
    const one = await imported(what, packages, load)
    if ('here' in one) return make(one.here)
    missing.push(one.missing)
    return []
  }
  const rival = (name: string, version: string, open: () => Contender | Promise<Contender>): Rival => ({
    name,
    version,
    open: async () => open(),
  })
  const pgVersion = packageVersion('pg')
  const own = (suffix: string, of: (pool: pg.Pool) => Contender): Rival =>
    rival(`pg-cutover${suffix}`, packageVersion('pg'), () => of(cutover.createPool()))

  const aws = await found(
    'The AWS wrapper',
    ['aws-advanced-nodejs-wrapper', '@opentelemetry/api'],
    () => import('./aws.js'),
    ({ version, without, withDefaults }) => [
      rival('AWS wrapper without plugins', version, () => without(url)),
      rival('AWS wrapper with its default plugins', version, () => withDefaults(url)),
    ],
  )
  const launchDarkly = await found(
    "LaunchDarkly's createMigration",
    ['@launchdarkly/node-server-sdk', 'launchdarkly-node-server-sdk'],
    () => import('./launchdarkly.js'),
    ({ version, readingThrough, writingThrough }) => [
      rival("LaunchDarkly's createMigration, a read", version, () => readingThrough(reads, poolTo(url))),
      rival("LaunchDarkly's createMigration, a write", version, () => writingThrough(writes, poolTo(url))),
    ],
  )
  const prisma = await found(
    "Prisma's read-replicas extension",
    ['@prisma/extension-read-replicas', '@prisma/client', '@prisma/adapter-pg'],
    () => import('./prisma.js'),
    ({ version, extensionVersion, stock, onCutover, withReplicas }) => [
      rival('Prisma', version, () => stock(url)),
      rival('Prisma on pg-cutover', version, () => onCutover(cutover)),
      rival('Prisma with @prisma/extension-read-replicas', extensionVersion, () => withReplicas(url)),
    ],
  )
  const [launchDarklyRead, launchDarklyWrite] = launchDarkly
  const [prismaBase, ...prismaRivals] = prisma
  const groups: Group[] = [
    {
      base: rival('pg', pgVersion, () => reads(poolTo(url))),
      rivals: [
        own('', reads),
        ...(bouncer ? [rival('PgBouncer', bouncer.version, () => reads(poolTo(bouncer.url)))] : []),
        ...aws,
        ...(launchDarklyRead ? [launchDarklyRead] : []),
      ],
      share: 1,
    },
    {
      base: rival('pg, a write', pgVersion, () => writes(poolTo(url))),
      rivals: [own(', a write', writes), ...(launchDarklyWrite ? [launchDarklyWrite] : [])],
      share: 0.5,
    },
  ]
  if (prismaBase) groups.push({ base: prismaBase, rivals: prismaRivals, share: 0.5 })
  return groups
}
