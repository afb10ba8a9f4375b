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
    why: 'It writes past the fence: rows get into the side that was left, or meet those of the mirror and stop it.',
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
    why: 'Who reads it gets nothing more from the side that is left, without an error.',
    find: (context) =>
      bothSides(context, ({ publications }, side) =>
        publications
          .filter(({ name }) => !ownStreams(context).includes(name))
          .map(({ name, tables, allTables }) => ({
            side,
            object: name,
            message: `publication "${name}" of the ${side} side has ${allTables ? 'all tables, those of the schema cutover too' : `${listed(tables)} too`}; who reads it must follow the cutover`,
            fix: `create the same on the other side, or drop publication ${quoteIdent(name)}`,
          })),
      ),
  },
  'foreign-slot': {
    severity: 'warning',
    why: 'Its reader sees no change after the cutover, without an error, and the slot keeps WAL until the disk is full.',
    find: (context) =>
      bothSides(context, ({ slots, database }, side) =>
        slots
          // A table copy of ours has a passing slot of its own, named by Postgres.
          .filter((slot) => slot.database === database.name && !/^pg_\d+_sync_/.test(slot.name))
          .filter(({ name }) => !ownStreams(context).includes(name))
          .map(({ name, plugin, reader, lagBytes }) => ({
            side,
            object: name,
            message: `replication slot "${name}" (${plugin}) of the ${side} side belongs to ${reader ?? 'somebody who is not connected now'}, who has ${lagBytes === null ? 'an unknown part' : `${Math.ceil(lagBytes / 1024)} kB`} of the log still to read; ${side === context.from ? 'a cutover moves the changes away from it' : 'it gets the mirrored changes now, and those of the application after the cutover'}`,
            fix:
              side === context.from
                ? `make a slot for it on the ${context.to} side (select pg_create_logical_replication_slot(${quoteLiteral(name)}, ${quoteLiteral(plugin ?? 'pgoutput')})), move its reader there after the cutover, then here: select pg_drop_replication_slot(${quoteLiteral(name)})`
                : `see that its reader knows; one that is not needed: select pg_drop_replication_slot(${quoteLiteral(name)})`,
          })),
      ),
  },
  'foreign-apply': {
    severity: 'warning',
    why: 'What its workers write is on no record and passes the fence: the sides drift apart.',
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
    why: 'The mirror cannot make its own, and must not read from one that is not its own.',
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
    why: 'NOTIFY does not cross over: a listener that stays waits for ever, and jobs that are woken by it stand still.',
    find: (context) =>
      about(
        context,
        ({ listeners }) => listeners,
        (names, side) =>
          `${names} wait for notifications on the ${side} side, as far as their last statement tells; these are not mirrored`,
        () => 'listen through cutover.listen, or connect them to the other side after the cutover',
      ),
  },
} as const satisfies Record<string, Check>
