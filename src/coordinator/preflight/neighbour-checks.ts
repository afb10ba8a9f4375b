// Checks of neighbours that use the same tables: other streams, slots and listeners.
import { quoteIdent, quoteLiteral, streamName } from '../../control/names.js'
import { about, bothSides, DUAL_WRITE, listed, REPLICATION } from './check.js'
import type { Check, Context } from './check.js'

/** A relay has no streams: those that carry this migration's name are of a mirror that it was before, and in its way. */
const ownStreams = ({ m }: Context): readonly string[] =>
  m.mirror === 'dual-write' ? [] : [streamName(m.name, 'old'), streamName(m.name, 'new')]

/** Replication of others that is no subscription of Postgres' own. */
const APPLYING_EXTENSIONS: readonly string[] = ['pglogical', 'spock', 'bdr']

export const NEIGHBOUR_CHECKS = {
  'foreign-subscription': {
    severity: 'error',
    find: (context) =>
      bothSides(context, ({ subscriptions }, side) =>
        subscriptions
          .filter(({ name }) => !ownStreams(context).includes(name))
          .map(({ name, tables }) => ({
            side,
            object: name,
            message: `subscription "${name}" writes into ${listed(tables)} on the ${side} side; a table may have one mirror only, and ${context.m.mirror === 'dual-write' && side === context.from ? 'what this one writes is not recorded' : 'the fence does not stop this one'}`,
            fix: `drop subscription ${quoteIdent(name)}`,
          })),
      ),
  },
  'foreign-publication': {
    severity: 'warning',
    find: (context) =>
      bothSides(context, ({ publications }, side) =>
        publications
          .filter(({ name }) => !ownStreams(context).includes(name))
          .map(({ name, tables }) => ({
            side,
            object: name,
            message: `publication "${name}" of the ${side} side has ${listed(tables)} too; who reads it must follow the cutover`,
            fix: `create the same on the other side, or drop publication ${quoteIdent(name)}`,
          })),
      ),
  },
  'foreign-slot': {
    severity: 'warning',
    find: (context) =>
      bothSides(context, ({ slots, database }, side) =>
        slots
          // A table copy of ours has a passing slot of its own, named by Postgres.
          .filter((slot) => slot.database === database.name && !/^pg_\d+_sync_/.test(slot.name))
          .filter(({ name }) => !ownStreams(context).includes(name))
          .map(({ name, plugin }) => ({
            side,
            object: name,
            message: `replication slot "${name}" (${plugin}) of the ${side} side belongs to somebody who reads its changes; a cutover moves them away from it`,
            fix: `move its reader by hand, or select pg_drop_replication_slot(${quoteLiteral(name)})`,
          })),
      ),
  },
  'foreign-apply': {
    severity: 'warning',
    mirrors: DUAL_WRITE,
    find: (context) =>
      about(
        context,
        ({ extensions }) =>
          extensions.map(({ name }) => name).filter((name) => APPLYING_EXTENSIONS.includes(name)),
        (names, side) =>
          `the ${side} side has ${names}, whose workers write as replicas: what they write is not recorded, and no fence stops it`,
        () => 'see that they write into no table in scope, or stop their subscriptions',
      ),
  },
  'slot-taken': {
    severity: 'error',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, ({ slots, database }, side) =>
        slots
          .filter((slot) => slot.name === streamName(context.m.name, side) && slot.database !== database.name)
          .map(({ name, database: owner }) => ({
            side,
            object: name,
            message: `the replication slot "${name}" of the ${side} server belongs to database "${owner}"`,
            fix: `give this migration another name, or select pg_drop_replication_slot(${quoteLiteral(name)})`,
          })),
      ),
  },
  listener: {
    severity: 'warning',
    find: (context) =>
      about(
        context,
        ({ listeners }) => listeners,
        (names, side) => `${names} wait for notifications on the ${side} side, which are not mirrored`,
        () => 'listen through cutover.listen, or connect them to the other side after the cutover',
      ),
  },
} as const satisfies Record<string, Check>
