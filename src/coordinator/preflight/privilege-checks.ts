// Checks of what the role of the control connection may do; each finding has the GRANT.
import { CONTROL_SCHEMA, quoteIdent } from '../../control/names.js'
import { ANY_MIRROR, bothSides, DUAL_WRITE, listed, quoteTable, REPLICATION } from './check.js'
import type { Check } from './check.js'
import { nameOf } from './facts.js'
import { grantReplication, privileged } from './managed.js'

export const PRIVILEGE_CHECKS = {
  'privilege-schema': {
    severity: 'error',
    why: 'The fence, the journal and the row that says which side writes live in a schema of their own, and a mirror by replication needs a publication. Neither can be made.',
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
    why: 'What pg-cutover stores would mix with what somebody else keeps there, so it refuses to begin.',
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
    why: 'No slot can be made, so there is no mirror from this side.',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, (facts, side) =>
        facts.role.replication
          ? []
          : [
              {
                side,
                object: facts.role.name,
                message: `role "${facts.role.name}" may not use replication slots on the ${side} side`,
                fix: grantReplication(facts),
              },
            ],
      ),
  },
  'privilege-subscription': {
    severity: 'error',
    why: 'No subscription can be made, so there is no mirror into this side.',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, ({ role, version, service }, side) =>
        role.createSubscription
          ? []
          : [
              {
                side,
                object: role.name,
                message: `role "${role.name}" may not create subscriptions on the ${side} side`,
                fix:
                  version >= 160_000
                    ? `grant pg_create_subscription to ${quoteIdent(role.name)} -- as ${privileged({ service })}`
                    : service === null
                      ? `alter role ${quoteIdent(role.name)} superuser -- before version 16 only a superuser may`
                      : `connect as ${privileged({ service })} -- before version 16 only such a role may`,
              },
            ],
      ),
  },
  'privilege-origin': {
    severity: 'error',
    why: 'After a cutover the way back begins at the very position of the flip. Without these functions it would repeat or miss rows, so there would be none.',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, ({ role, service }, side) =>
        role.originFunctions
          ? []
          : [
              {
                side,
                object: 'pg_replication_origin_advance',
                message: `role "${role.name}" may not move a replication origin on the ${side} side, so there would be no way back`,
                fix: `grant execute on function pg_replication_origin_advance(text, pg_lsn), pg_replication_origin_progress(text, boolean) to ${quoteIdent(role.name)} -- as ${privileged({ service })}${service === null ? '' : `; where that is refused: mirror: 'dual-write'`}`,
              },
            ],
      ),
  },
  'privilege-stats': {
    severity: 'error',
    why: 'A transaction that is not seen is not waited for. The drain would end while it still writes.',
    find: (context) =>
      bothSides(context, ({ role, service }, side) =>
        role.readAllStats
          ? []
          : [
              {
                side,
                object: 'pg_read_all_stats',
                message: `role "${role.name}" does not see the transactions of other roles on the ${side} side, so the drain would end too early`,
                fix: `grant pg_read_all_stats to ${quoteIdent(role.name)} -- as ${privileged({ service })}`,
              },
            ],
      ),
  },
  'privilege-tables': {
    severity: 'error',
    why: 'Only the owner of a table can put the triggers of the fence on it. Without them writes go on after the fence.',
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
    why: 'Tables in a schema that may not be used cannot be read, copied or fenced.',
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
    why: 'A row that may not be read is not carried over, and one that may not be written stays behind on the other side.',
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
    why: 'A sequence that cannot be set ahead hands out numbers that are taken: inserts fail with a duplicate key after the flip.',
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
