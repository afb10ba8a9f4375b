// Checks of what the role of the control connection may do; each finding has the GRANT.
import { CONTROL_SCHEMA, quoteIdent } from '../../control/names.js'
import { ANY_MIRROR, bothSides, DUAL_WRITE, listed, quoteTable, REPLICATION } from './check.js'
import type { Check } from './check.js'
import { nameOf } from './facts.js'

export const PRIVILEGE_CHECKS = {
  'privilege-schema': {
    severity: 'error',
    find: (context) =>
      bothSides(context, ({ role, controlSchema, database, version }, side) => {
        const needsDatabase = controlSchema === 'absent' || context.m.mirror === 'replication'
        if (controlSchema !== 'out of reach' && (role.createInDatabase || !needsDatabase)) return []
        const inSchema = controlSchema === 'out of reach'
        return [
          {
            side,
            object: inSchema ? CONTROL_SCHEMA : database.name,
            message: `role "${role.name}" may not create ${inSchema ? `in schema "${CONTROL_SCHEMA}"` : context.m.mirror === 'replication' ? 'schemas and publications' : 'schemas'} on the ${side} side (version ${version / 10_000})`,
            fix: inSchema
              ? `grant usage, create on schema ${CONTROL_SCHEMA} to ${quoteIdent(role.name)}`
              : `grant create on database ${quoteIdent(database.name)} to ${quoteIdent(role.name)}`,
          },
        ]
      }),
  },
  'schema-taken': {
    severity: 'error',
    find: (context) =>
      bothSides(context, ({ controlSchema }, side) =>
        controlSchema === 'foreign'
          ? [
              {
                side,
                object: CONTROL_SCHEMA,
                message: `the ${side} side has a schema "${CONTROL_SCHEMA}" that pg-cutover has not made`,
                fix: `alter schema ${CONTROL_SCHEMA} rename to …`,
              },
            ]
          : [],
      ),
  },
  'privilege-replication': {
    severity: 'error',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, ({ role }, side) =>
        role.replication
          ? []
          : [
              {
                side,
                object: role.name,
                message: `role "${role.name}" may not use replication slots on the ${side} side`,
                fix: `alter role ${quoteIdent(role.name)} replication -- on Amazon RDS: grant rds_replication to ${quoteIdent(role.name)}`,
              },
            ],
      ),
  },
  'privilege-subscription': {
    severity: 'error',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, ({ role, version }, side) =>
        role.createSubscription
          ? []
          : [
              {
                side,
                object: role.name,
                message: `role "${role.name}" may not create subscriptions on the ${side} side`,
                fix:
                  version >= 160_000
                    ? `grant pg_create_subscription to ${quoteIdent(role.name)}`
                    : `alter role ${quoteIdent(role.name)} superuser -- before version 16 only a superuser may`,
              },
            ],
      ),
  },
  'privilege-origin': {
    severity: 'error',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, ({ role }, side) =>
        role.originFunctions
          ? []
          : [
              {
                side,
                object: 'pg_replication_origin_advance',
                message: `role "${role.name}" may not move a replication origin on the ${side} side, so there would be no way back`,
                fix: `grant execute on function pg_replication_origin_advance(text, pg_lsn), pg_replication_origin_progress(text, boolean) to ${quoteIdent(role.name)}`,
              },
            ],
      ),
  },
  'privilege-stats': {
    severity: 'error',
    find: (context) =>
      bothSides(context, ({ role }, side) =>
        role.readAllStats
          ? []
          : [
              {
                side,
                object: 'pg_read_all_stats',
                message: `role "${role.name}" does not see the transactions of other roles on the ${side} side, so the drain would end too early`,
                fix: `grant pg_read_all_stats to ${quoteIdent(role.name)}`,
              },
            ],
      ),
  },
  'privilege-tables': {
    severity: 'error',
    find: (context) =>
      bothSides(context, ({ role, tables }, side) => {
        const others = tables.filter((table) => !table.owned)
        const owners = [...new Set(others.map((table) => quoteIdent(table.owner)))]
        return others.length === 0
          ? []
          : [
              {
                side,
                object: listed(others.map(nameOf)),
                message: `role "${role.name}" does not own ${listed(others.map(nameOf))} on the ${side} side; the triggers on them need it`,
                fix: `grant ${owners.join(', ')} to ${quoteIdent(role.name)}`,
              },
            ]
      }),
  },
  'privilege-usage': {
    severity: 'error',
    find: (context) =>
      bothSides(context, ({ role, lockedSchemas }, side) =>
        lockedSchemas.length === 0
          ? []
          : [
              {
                side,
                object: listed(lockedSchemas),
                message: `role "${role.name}" may not use the schemas ${listed(lockedSchemas)} of the ${side} side, in which tables in scope or their types are`,
                fix: `grant usage on schema ${lockedSchemas.map(quoteIdent).join(', ')} to ${quoteIdent(role.name)}`,
              },
            ],
      ),
  },
  'privilege-rows': {
    severity: 'error',
    mirrors: DUAL_WRITE,
    find: (context) =>
      bothSides(context, ({ role, tables }, side) => {
        // Who becomes a member of the owner has them from there.
        const poor = tables.filter((table) => table.owned && table.lackingRights.length > 0)
        const rights = [...new Set(poor.flatMap((table) => table.lackingRights))]
        return poor.length === 0
          ? []
          : [
              {
                side,
                object: listed(poor.map(nameOf)),
                message: `role "${role.name}" may not ${rights.join(', ')} rows of ${listed(poor.map(nameOf))} on the ${side} side; it reads what changed on the one side and writes it to the other, also on the way back`,
                fix: `grant ${rights.join(', ')} on ${poor.map(quoteTable).join(', ')} to ${quoteIdent(role.name)}`,
              },
            ]
      }),
  },
  'privilege-sequences': {
    severity: 'error',
    mirrors: ANY_MIRROR,
    find: (context) =>
      bothSides(context, ({ role, lockedSequences }, side) =>
        lockedSequences.length === 0
          ? []
          : [
              {
                side,
                object: listed(lockedSequences),
                message: `role "${role.name}" may not read and set ${listed(lockedSequences)} on the ${side} side`,
                fix: `grant usage, select, update on sequence ${lockedSequences.join(', ')} to ${quoteIdent(role.name)}`,
              },
            ],
      ),
  },
} as const satisfies Record<string, Check>
