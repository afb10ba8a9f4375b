// Checks of the two servers: identity, and capacity for replication.
import { streamName } from '../../control/names.js'
import { otherSide } from '../../phase/phases.js'
import type { Side } from '../../phase/phases.js'
import { bothSides, REPLICATION } from './check.js'
import type { Check, Context, Found } from './check.js'
import type { SideFacts } from './facts.js'
import { setLogical, setServer } from './managed.js'

const settingOf = (context: Context, side: Side, name: string): number =>
  Number(context.facts[side].settings[name] ?? 0)

export const SERVER_CHECKS = {
  'same-database': {
    severity: 'error',
    why: 'The two sides would be one: the fence would shut the only database that takes writes.',
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
    why: 'A standby is read-only. Neither the control schema nor the mirror can be made in it, and it cannot take over the writes.',
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
    why: 'The server does not log what logical replication needs. No slot can be made, so there is no mirror and no way back.',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, (facts, side) =>
        facts.settings['wal_level'] === 'logical'
          ? []
          : [
              {
                side,
                object: 'wal_level',
                message: `wal_level of the ${side} server is "${facts.settings['wal_level']}", so it cannot publish changes`,
                fix: setLogical(facts),
              },
            ],
      ),
  },
  'replication-slots': {
    severity: 'error',
    why: 'Making the mirror, or its way back, fails for want of a slot.',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, ({ slots }, side) => {
        const there = slots.some((slot) => slot.name === streamName(context.m.name, side))
        // Each table that is being copied holds one of its own, on the side that is copied from.
        const copying =
          side === context.from && !there
            ? settingOf(context, otherSide(side), 'max_sync_workers_per_subscription')
            : 0
        return tooFew(
          context,
          side,
          'max_replication_slots',
          settingOf(context, side, 'max_replication_slots'),
          {
            used: slots.length,
            needed: (there ? 0 : 1) + copying,
          },
        )
      }),
  },
  'wal-senders': {
    severity: 'error',
    why: 'The other side cannot connect to fetch changes. The mirror stands still, and the WAL of this side piles up on its disk.',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, ({ walSenders, slots }, side) =>
        tooFew(context, side, 'max_wal_senders', settingOf(context, side, 'max_wal_senders'), {
          used: walSenders,
          needed: slots.some((slot) => slot.name === streamName(context.m.name, side)) ? 0 : 2,
        }),
      ),
  },
  'replication-workers': {
    severity: 'error',
    why: 'A subscription without a free worker is enabled but never runs. No error is seen, and nothing arrives.',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, ({ enabledSubscriptions, subscriptions }, side) => {
        const there = subscriptions.some(({ name }) => name === streamName(context.m.name, otherSide(side)))
        // One applies, one copies.
        const need = { used: enabledSubscriptions, needed: there ? 0 : side === context.to ? 2 : 1 }
        return [
          ...tooFew(
            context,
            side,
            'max_logical_replication_workers',
            settingOf(context, side, 'max_logical_replication_workers'),
            need,
          ),
          // The launcher is one of them.
          ...tooFew(context, side, 'max_worker_processes', settingOf(context, side, 'max_worker_processes'), {
            ...need,
            needed: need.needed + 1,
          }),
        ]
      }),
  },
  'sync-workers': {
    severity: 'error',
    why: 'The initial copy of the tables never begins.',
    stage: 'mirror',
    mirrors: REPLICATION,
    find: (context) =>
      tooFew(
        context,
        context.to,
        'max_sync_workers_per_subscription',
        settingOf(context, context.to, 'max_sync_workers_per_subscription'),
        { used: 0, needed: 1 },
        'reload its configuration',
      ),
  },
  'replication-origins': {
    severity: 'error',
    why: 'The worker cannot note how far it has come and ends with an error each time it is started.',
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
        return tooFew(context, side, name, settingOf(context, side, name), {
          used: origins,
          needed: there ? 0 : side === context.to ? 2 : 1,
        })
      }),
  },
  'slot-limits': {
    severity: 'warning',
    why: 'When the other side is away for too long the server drops what the slot kept. The mirror is lost and has to be made anew with a full copy.',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, (facts, side) => [
        ...limited(facts, side, 'max_slot_wal_keep_size', '-1'),
        ...limited(facts, side, 'idle_replication_slot_timeout', '0'),
      ]),
  },
} as const satisfies Record<string, Check>

function tooFew(
  { facts }: Context,
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
      message: `${setting} of the ${side} server is ${limit} and ${used} are in use; at least ${needed} more are needed`,
      fix: setServer(facts[side], setting, String(used + needed), then),
    },
  ]
}

function limited(facts: SideFacts, side: Side, setting: string, unlimited: string): Found[] {
  const value = facts.settings[setting]
  if (value === undefined || value === unlimited) return []
  return [
    {
      side,
      object: setting,
      message: `${setting} of the ${side} server is ${value}; a slot that falls behind it is lost, and the mirror with it`,
      fix: `${setServer(facts, setting, unlimited, 'reload its configuration')}; watch the disk meanwhile`,
    },
  ]
}
