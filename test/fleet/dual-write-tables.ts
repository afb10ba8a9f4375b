// The tables of the runs by dual-write: of every shape that a mirror has to carry over, and not the same on both sides.

export interface MirroredSpec {
  /** As a statement on that side names it, without its children. */
  readonly old: string
  readonly new: string
  readonly key: readonly string[]
  readonly columns: readonly string[]
}

const spec = (name: string, key: string, columns: string, next = name): MirroredSpec => ({
  old: `public.${name}`,
  new: next.includes('.') ? next : `public.${next}`,
  key: key.split(' '),
  columns: columns.split(' '),
})

export const TABLES: readonly MirroredSpec[] = [
  spec('hot', 'id', 'id nr'),
  spec('acknowledged', 'writer', 'writer nr'),
  spec('job', 'queue nr', 'queue nr state'),
  spec('slot', 'id', 'id place note'),
  spec('rank', 'id', 'id place'),
  spec('amount', 'key', 'key note'),
  spec('word', 'word', 'word n'),
  spec('event', 'id day', 'id day note'),
  spec('parent', 'id', 'id v'),
  spec('child', 'id', 'id v extra'),
  spec('always', 'id', 'id v twice'),
  spec('owner', 'id', 'id v'),
  spec('pet', 'id', 'id owner'),
  spec('tally', 'owner', 'owner n'),
  spec('bag', 'id', 'id v', 'shop.bag'),
]

export const MAPPED = { 'public.bag': 'shop.bag' } as const

/** Both names of a table are found by the one that the application writes. */
export const SEARCH_PATH = '-c search_path=public,shop -c deadlock_timeout=20ms'

const CODE = `
  create function note_owner() returns trigger language plpgsql as $$ begin
    insert into tally values (new.id, 1) on conflict (owner) do update set n = tally.n + 1;
    return null; end $$;
  create trigger note_owner after insert or update on owner for each row execute function note_owner();
  create function rename_amount(was numeric, now numeric) returns void language sql as
    'update amount set key = now, note = note || ''r'' where key = was and length(note) < 20';`

const COMMON = `
  create table hot (id int primary key, nr bigint not null);
  create table acknowledged (writer int primary key, nr bigint not null);
  create table rank (id int primary key, place int not null unique deferrable initially deferred);
  create table parent (id int primary key, v int);
  create table child (extra int, primary key (id)) inherits (parent);
  create table owner (id int primary key, v int);
  create table pet (id int primary key, owner int not null references owner on delete cascade on update cascade);
  create table tally (owner int primary key, n int not null);
`

export const SCHEMAS = {
  old: `${COMMON}
    create table job (queue text, nr bigserial, state text not null default 'new', primary key (queue, nr));
    create table slot (id int primary key, place int unique, note text);
    create table amount (key numeric primary key, note text);
    create table word (word text primary key, n int not null);
    create table event (id int, day date, note text, primary key (id, day)) partition by range (day);
    create table event_1 partition of event for values from ('2026-01-01') to ('2026-01-05');
    create table event_2 partition of event for values from ('2026-01-05') to ('2026-01-08');
    create table event_3 partition of event default;
    create table always (id bigint generated always as identity primary key, v int,
      twice int generated always as (v * 2) stored);
    create table bag (id int primary key, v text);
    ${CODE}`,
  new: `create schema shop; ${COMMON}
    create table job (state text not null default 'new', nr bigserial, queue text, primary key (queue, nr));
    create table slot (note text, place int unique, id int primary key);
    create table amount (note text, key numeric primary key);
    create table word (n int not null, word text primary key);
    create table event (note text, day date, id int, primary key (id, day)) partition by hash (id);
    create table event_1 partition of event for values with (modulus 2, remainder 0);
    create table event_2 partition of event for values with (modulus 2, remainder 1);
    create table always (twice int generated always as (v * 2) stored, v int,
      id bigint generated always as identity primary key);
    create table shop.bag (v text, id int primary key);
    ${CODE}`,
} as const

/** What is there before the mirror begins. */
export const ROWS = `
  insert into hot select i, 0 from generate_series(1, 3) i;
  insert into slot select i, i, 'first' from generate_series(1, 12) i;
  insert into rank select i, i from generate_series(1, 12) i;
  insert into owner select i, 0 from generate_series(1, 8) i;
  insert into pet select i, 1 + i % 8 from generate_series(1, 30) i;
  insert into event select i, date '2026-01-01' + i % 9, 'first' from generate_series(1, 12) i;
  insert into bag select i, 'first' from generate_series(1, 300) i;
  insert into always (v) select i from generate_series(1, 20) i;`

/**
 * Kept by triggers that fire for the relay too: a counter that goes down has been overwritten by something older. Not in
 * scope, so each side has its own.
 */
export const WATCH = `
  create schema watch;
  create table watch.highest (id int primary key, nr bigint not null);
  create table watch.backwards (id int, was bigint, now bigint, at timestamptz default clock_timestamp());
  create function watch.note() returns trigger language plpgsql as $$
  declare was bigint;
  begin
    select h.nr into was from watch.highest h where h.id = new.id for update;
    if was is null then insert into watch.highest values (new.id, new.nr);
    elsif new.nr < was then insert into watch.backwards values (new.id, was, new.nr);
    else update watch.highest h set nr = new.nr where h.id = new.id;
    end if;
    return null;
  end $$;
  create trigger watch after insert or update on public.hot for each row execute function watch.note();
  alter table public.hot enable always trigger watch;`
