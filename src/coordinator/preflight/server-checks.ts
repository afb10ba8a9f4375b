// Checks of the two servers: identity, version, capacity for replication, and settings that change what statements mean.
import { streamName } from '../../control/names.js'
import { otherSide } from '../../phase/phases.js'
import type { Side } from '../../phase/phases.js'
import { bothSides, DUAL_WRITE, REPLICATION } from './check.js'
import type { Check, Context, Found } from './check.js'
import { MEANING_SETTINGS } from './facts-sql.js'

const settingOf = (context: Context, side: Side, name: string): number =>
  Number(context.facts[side].settings[name] ?? 0)

export const SERVER_CHECKS = {
  'same-database': {
    severity: 'error',
    find: ({ facts }) =>
      facts.old.system === facts.new.system && facts.old.database.oid === facts.new.database.oid
        ? [
            {
              object: facts.new.database.name,
              message: `both sides are the same database "${facts.new.database.name}" of the same server`,
              fix: 'give the URL of the other database',
            },
          ]
        : [],
  },
  standby: {
    severity: 'error',
    find: (context) =>
      bothSides(context, ({ standby }, side) =>
        standby
          ? [
              {
                side,
                object: 'pg_is_in_recovery()',
                message: `the ${side} server is a standby, in which nothing can be made or written`,
                fix: 'give the address of its primary',
              },
            ]
          : [],
      ),
  },
  'wal-level': {
    severity: 'error',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, ({ settings }, side) =>
        settings['wal_level'] === 'logical'
          ? []
          : [
              {
                side,
                object: 'wal_level',
                message: `wal_level of the ${side} server is "${settings['wal_level']}", so it cannot publish changes`,
                fix: "alter system set wal_level = 'logical', then restart the server",
              },
            ],
      ),
  },
  'replication-slots': {
    severity: 'error',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, ({ slots }, side) => {
        const there = slots.some((slot) => slot.name === streamName(context.m.name, side))
        // Each table that is being copied holds one of its own, on the side that is copied from.
        const copying =
          side === context.from && !there
            ? settingOf(context, otherSide(side), 'max_sync_workers_per_subscription')
            : 0
        return tooFew(side, 'max_replication_slots', settingOf(context, side, 'max_replication_slots'), {
          used: slots.length,
          needed: (there ? 0 : 1) + copying,
        })
      }),
  },
  'wal-senders': {
    severity: 'error',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, ({ walSenders, slots }, side) =>
        tooFew(side, 'max_wal_senders', settingOf(context, side, 'max_wal_senders'), {
          used: walSenders,
          needed: slots.some((slot) => slot.name === streamName(context.m.name, side)) ? 0 : 2,
        }),
      ),
  },
  'replication-workers': {
    severity: 'error',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, ({ enabledSubscriptions, subscriptions }, side) => {
        const there = subscriptions.some(({ name }) => name === streamName(context.m.name, otherSide(side)))
        // One applies, one copies.
        const need = { used: enabledSubscriptions, needed: there ? 0 : side === context.to ? 2 : 1 }
        return [
          ...tooFew(
            side,
            'max_logical_replication_workers',
            settingOf(context, side, 'max_logical_replication_workers'),
            need,
          ),
          // The launcher is one of them.
          ...tooFew(side, 'max_worker_processes', settingOf(context, side, 'max_worker_processes'), {
            ...need,
            needed: need.needed + 1,
          }),
        ]
      }),
  },
  'sync-workers': {
    severity: 'error',
    stage: 'mirror',
    mirrors: REPLICATION,
    find: (context) =>
      tooFew(
        context.to,
        'max_sync_workers_per_subscription',
        settingOf(context, context.to, 'max_sync_workers_per_subscription'),
        { used: 0, needed: 1 },
        'reload its configuration',
      ),
  },
  'replication-origins': {
    severity: 'error',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, ({ origins, settings, subscriptions }, side) => {
        // A setting of its own from 18; before, the slots' setting bounds the origins too.
        const name =
          'max_active_replication_origins' in settings
            ? 'max_active_replication_origins'
            : 'max_replication_slots'
        const there = subscriptions.some(
          (subscription) => subscription.name === streamName(context.m.name, otherSide(side)),
        )
        return tooFew(side, name, settingOf(context, side, name), {
          used: origins,
          needed: there ? 0 : side === context.to ? 2 : 1,
        })
      }),
  },
  'slot-limits': {
    severity: 'warning',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, ({ settings }, side) => [
        ...limited(side, 'max_slot_wal_keep_size', settings['max_slot_wal_keep_size'], '-1'),
        ...limited(side, 'idle_replication_slot_timeout', settings['idle_replication_slot_timeout'], '0'),
      ]),
  },
  encoding: {
    severity: 'warning',
    find: ({ facts }) =>
      facts.old.database.encoding === facts.new.database.encoding
        ? []
        : [
            {
              message: `the encoding is ${facts.old.database.encoding} on the old side and ${facts.new.database.encoding} on the new one; a character that one of them lacks cannot be mirrored`,
              fix: `create database … encoding '${facts.old.database.encoding}' template template0`,
            },
          ],
  },
  'encoding-unknown': {
    severity: 'warning',
    mirrors: DUAL_WRITE,
    find: (context) =>
      bothSides(context, ({ database }, side) =>
        database.encoding !== 'SQL_ASCII'
          ? []
          : [
              {
                side,
                object: database.name,
                message: `the encoding of the ${side} side is SQL_ASCII, which checks nothing; a row with bytes that are no UTF-8 cannot be mirrored`,
                fix: 'see that all text in it is UTF-8, and convert what is not: convert_from(convert_to(…), …)',
              },
            ],
      ),
  },
  collation: {
    severity: 'warning',
    find: ({ facts }) =>
      (['collate', 'ctype', 'provider', 'locale', 'collationVersion'] as const)
        .filter((part) => facts.old.database[part] !== facts.new.database[part])
        .map((part) => ({
          object: part,
          message: `the databases' collations differ in ${part}: "${facts.old.database[part]}" on the old side, "${facts.new.database[part]}" on the new one; text sorts and compares differently there`,
          fix: 'create the new database with the same locale and provider, or see that no query depends on the order of text',
        })),
  },
  settings: {
    severity: 'warning',
    find: ({ facts }) =>
      MEANING_SETTINGS.filter((name) => facts.old.settings[name] !== facts.new.settings[name]).map(
        (name) => ({
          object: name,
          message: `${name} is "${facts.old.settings[name]}" on the old side and "${facts.new.settings[name]}" on the new one, which changes what statements mean`,
          fix: `alter database "${facts.new.database.name}" set ${name} = '${facts.old.settings[name]}' on the side that is wrong`,
        }),
      ),
  },
} as const satisfies Record<string, Check>

function tooFew(
  side: Side,
  setting: string,
  limit: number,
  { used, needed }: { readonly used: number; readonly needed: number },
  then = 'restart the server',
): Found[] {
  if (limit - used >= needed) return []
  return [
    {
      side,
      object: setting,
      message: `${setting} of the ${side} server is ${limit} and ${used} are in use; ${needed} more are needed`,
      fix: `alter system set ${setting} = ${used + needed}, or more, then ${then}`,
    },
  ]
}

function limited(side: Side, setting: string, value: string | undefined, unlimited: string): Found[] {
  if (value === undefined || value === unlimited) return []
  return [
    {
      side,
      object: setting,
      message: `${setting} of the ${side} server is ${value}; a slot that falls behind it is lost, and the mirror with it`,
      fix: `alter system set ${setting} = ${unlimited}, then reload its configuration; watch the disk meanwhile`,
    },
  ]
}
