// The control schema: one row a side, the journal, the fence function, what compares and what relays keep; versioned.
import { CutoverError } from '../errors.js'
import type { ControlConnection, Run } from './control-connection.js'
import { FENCE_SQLSTATE } from '../pool/fence-error.js'
import { IDLE_SLOT_FUNCTIONS } from './idle-slot-sql.js'
import { CONTROL_SCHEMA } from './names.js'

/** How the message of a refused write begins; the migration's name in quotes and the epoch follow. */
export const FENCE_MESSAGE_PREFIX = 'pg-cutover fence: migration '

// Each entry brings the schema from the version of its index to the next one; an entry is never changed once released.
const VERSIONS = [
  `
  create table cutover.side (
    name text primary key,
    identity text not null check (identity in ('old', 'new')),
    epoch bigint not null,
    status text not null check (status in ('writer', 'fenced', 'moved', 'mirror')),
    opened bigint not null check (opened <= epoch),
    reverse_lsn pg_lsn,
    relay_generation bigint not null default 0,
    phase text,
    target text
  );
  comment on table cutover.side is 'pg-cutover: the right to write, one row a migration. Never edit by hand.';
  create table cutover.journal (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    name text not null,
    epoch bigint not null,
    step text not null,
    state text not null,
    millis double precision,
    detail text
  );
  -- Security definer, since the application's role may not read the control schema. The row is read with the
  -- statement's own snapshot: one older than the grant does not see it and is refused, on both sides.
  create function cutover.fence() returns trigger language plpgsql security definer set search_path = '' as $fence$
  begin
    if exists (
      select from cutover.side where name = tg_argv[0] and opened >= tg_argv[1]::bigint
    ) then
      return null;
    end if;
    raise exception using
      errcode = '${FENCE_SQLSTATE}',
      message = pg_catalog.format('${FENCE_MESSAGE_PREFIX}"%s" epoch %s', tg_argv[0], tg_argv[1]),
      hint = 'The right to write is with the other database of this migration. Connect there and try again.';
  end
  $fence$;
  `,
  `
  create table cutover.shadow (
    name text primary key,
    generation bigint not null
  );
  comment on table cutover.shadow is 'pg-cutover: raised by one when compared reads are to be counted anew.';
  -- What is stored as text is JSON in ASCII, since a database may have an encoding that lacks what the JSON speaks of.
  create table cutover.shadow_process (
    name text not null,
    process text not null,
    generation bigint not null,
    revision bigint not null,
    since timestamptz not null,
    updated timestamptz not null,
    real bigint not null,
    counts text not null,
    mismatches text not null,
    primary key (name, process)
  );
  create table cutover.shadow_statement (
    name text not null,
    process text not null,
    fingerprint text not null,
    generation bigint not null,
    real bigint not null,
    report text not null,
    primary key (name, process, fingerprint)
  );
  `,
  `
  -- Set only where the relay may not use the role of a replica: then the fence knows it by its own role.
  alter table cutover.side add column relay_role text;
  create or replace function cutover.fence() returns trigger language plpgsql security definer set search_path = '' as $fence$
  begin
    if exists (
      select from cutover.side where name = tg_argv[0]
        and (opened >= tg_argv[1]::bigint or relay_role = session_user and status in ('mirror', 'moved'))
    ) then
      return null;
    end if;
    raise exception using
      errcode = '${FENCE_SQLSTATE}',
      message = pg_catalog.format('${FENCE_MESSAGE_PREFIX}"%s" epoch %s', tg_argv[0], tg_argv[1]),
      hint = 'The right to write is with the other database of this migration. Connect there and try again.';
  end
  $fence$;
  create table cutover.relay (
    name text primary key,
    leader text not null,
    generation bigint not null,
    applied bigint not null,
    updated timestamptz not null,
    trouble text
  );
  comment on table cutover.relay is 'pg-cutover: what the relay that writes the record to the other side says of itself.';
  create table cutover.backfill (
    name text not null,
    tbl oid not null,
    table_name text not null,
    -- The last key that is on record, as the record has it; null before the first.
    last_key text,
    rows_done bigint not null default 0,
    rows_total bigint not null,
    started timestamptz not null default clock_timestamp(),
    finished timestamptz,
    primary key (name, tbl)
  );
  create table cutover.stuck (
    name text not null,
    tbl oid not null,
    table_name text not null,
    -- Null where no row of the table can be written.
    key text collate "C",
    sqlstate text not null,
    message text not null,
    since timestamptz not null default clock_timestamp(),
    set_aside timestamptz
  );
  -- A hash, since a key may be longer than an index takes.
  create unique index on cutover.stuck (name, tbl, coalesce(pg_catalog.md5(key), ''));
  alter table cutover.stuck replica identity full;
  `,
  `
  -- Rows of both are written again and again: room for a new version on the same page.
  create table cutover.member (
    name text not null,
    member text not null,
    host text not null,
    pid int not null,
    service text not null,
    version text not null,
    protocol int not null,
    side text not null,
    phase text not null,
    epoch bigint not null,
    in_flight int not null,
    oldest_millis double precision,
    backends int[] not null,
    control_pid int not null default pg_backend_pid(),
    beat bigint not null default 0,
    joined timestamptz not null default clock_timestamp(),
    heard timestamptz not null default clock_timestamp(),
    attempt text,
    said text,
    reason text,
    primary key (name, member)
  ) with (fillfactor = 50);
  comment on table cutover.member is 'pg-cutover: the processes of the fleet, on the side that writes.';
  create table cutover.call (
    name text primary key,
    attempt text not null,
    epoch bigint not null,
    stage text not null,
    coordinator text not null,
    target text not null,
    tables text[] not null,
    outcome text,
    reason text,
    at timestamptz not null default clock_timestamp()
  ) with (fillfactor = 50);
  comment on table cutover.call is 'pg-cutover: what the coordinator of the last attempt has asked of the members.';
  `,
  IDLE_SLOT_FUNCTIONS,
] as const

const CURRENT = VERSIONS.length
/** From this version on everything works but for the counts of compared reads and the mirror by dual-write. */
const ENOUGH = 1

const INSUFFICIENT_PRIVILEGE = '42501'

/**
 * Makes the control schema or brings it up to date; any number of processes may do so at once. A role that may not bring it
 * up to date goes on with one that has at least the version `needed`.
 */
export async function ensureControlSchema(
  control: ControlConnection,
  needed: number = ENOUGH,
): Promise<void> {
  const before = await versionOf(control.run)
  if (before === CURRENT) return
  try {
    await upgrade(control)
  } catch (error) {
    const isRefused = error instanceof Error && 'code' in error && error.code === INSUFFICIENT_PRIVILEGE
    if (!isRefused || before === undefined || before < needed) throw error
  }
}

/** The version that has tables for the counts of compared reads. */
export const COUNTS_VERSION = 2
/** The version that has what a mirror by dual-write needs. */
export const DUAL_WRITE_VERSION = 3
/** The version that has the roster of the fleet. */
export const FLEET_VERSION = 4

async function upgrade(control: ControlConnection): Promise<void> {
  await control.transaction(async (run) => {
    await run(`select pg_advisory_xact_lock(hashtextextended('pg-cutover: control schema', 0))`)
    const [found] = await run<{ foreign: boolean }>(
      `select to_regclass('cutover.version') is null as foreign from pg_namespace where nspname = '${CONTROL_SCHEMA}'`,
    )
    if (found?.foreign === true) {
      throw new CutoverError(
        'ERR_PREFLIGHT',
        `the ${control.side} database at ${control.address} has a schema "${CONTROL_SCHEMA}" that pg-cutover has not made; rename it`,
      )
    }
    if (!found) {
      await run(`create schema ${CONTROL_SCHEMA}`)
      await run(`create table cutover.version (version int not null)`)
      await run(`insert into cutover.version values (0)`)
    }
    const version = (await versionOf(run)) ?? 0
    if (version > CURRENT) {
      throw new CutoverError(
        'ERR_PREFLIGHT',
        `the control schema of the ${control.side} database has version ${version}, made by a newer pg-cutover; this one knows ${CURRENT}`,
      )
    }
    for (const statements of VERSIONS.slice(version)) await run(statements)
    // It has no key, and without one it cannot be updated where somebody publishes all tables.
    await run(`alter table cutover.version replica identity full`)
    await run(`update cutover.version set version = $1`, [CURRENT])
  })
}

async function versionOf(run: Run): Promise<number | undefined> {
  const [made] = await run<{ made: boolean }>(`select to_regclass('cutover.version') is not null as made`)
  if (made?.made !== true) return undefined
  return (await run<{ version: number }>(`select version from cutover.version`))[0]?.version
}
