// The function by which a role that may not touch replication slots moves the idle one of its own migration forward.

/** What a member may be granted. */
export const ADVANCE_IDLE_SLOT = 'cutover.advance_idle_slot(text, text)'

/**
 * `seen` is the epoch and the status of the side's row, as the caller read them before it saw that the other side's subscription
 * is disabled. The proof is in src/mirror/housekeeping.ts, and each step of it that belongs to this side is made here: the position
 * first, then the row with a snapshot of its own, then the slot, whose name is derived and not given.
 *
 * What a caller with bad intent can do is bounded. The slot is this migration's, in this database, and idle. The row is
 * read anew whatever the caller has seen, hence no isolation that would keep an old snapshot. What the other side's
 * subscription is like cannot be read here; to say it wrongly loses nothing that was acknowledged: a side that says `mirror`
 * has never taken writes, and `moved` is only written when all that it took is on the other side's disk.
 */
export const IDLE_SLOT_FUNCTIONS = `
  create or replace function cutover.stream_name(migration text, identity text) returns text
  language sql immutable set search_path = '' as $name$
    select 'cutover_' || case when plain = migration and length(plain) <= 24 then plain
        else left(plain, 24) || '_' || left(encode(sha256(convert_to(migration, 'UTF8')), 'hex'), 6) end
      || '_from_' || identity
      from regexp_replace(lower(migration collate "C"), '[^a-z0-9_]', '_', 'g') as plain
  $name$;
  create or replace function cutover.advance_idle_slot(migration text, seen text) returns pg_lsn
  language plpgsql security definer set search_path = '' as $advance$
  declare
    until_lsn pg_catalog.pg_lsn;
    here text;
    advanced pg_catalog.pg_lsn;
  begin
    if pg_catalog.current_setting('transaction_isolation') <> 'read committed' then
      raise exception using errcode = '25001',
        message = 'advance_idle_slot needs the isolation level read committed, since it has to see the row as it is now';
    end if;
    until_lsn := pg_catalog.pg_current_wal_insert_lsn();
    select s.identity into here from cutover.side s
     where s.name = migration and s.status in ('mirror', 'moved') and s.epoch || ' ' || s.status = seen;
    if not found then
      return null;
    end if;
    -- Bounded by what is flushed: an asynchronous commit of the apply worker may not be on disk yet.
    until_lsn := least(until_lsn, pg_catalog.pg_current_wal_flush_lsn());
    select (pg_catalog.pg_replication_slot_advance(r.slot_name, until_lsn)).end_lsn into advanced
      from pg_catalog.pg_replication_slots r
     where r.slot_name = cutover.stream_name(migration, here) and r.database = pg_catalog.current_database()
       and r.plugin = 'pgoutput' and not r.active and r.confirmed_flush_lsn < until_lsn;
    return advanced;
  end
  $advance$;
  revoke all on function ${ADVANCE_IDLE_SLOT} from public;
`
