// The objects that the statements of the table name: for each way in which something may write, one that does and one that does not.

export const SCHEMA = `
create table t (id int primary key, a int, b text, c timestamptz default now(), j jsonb, d numeric, code text unique);
insert into t select n, n % 3, 'b' || n, '2024-01-01'::timestamptz + n * interval '1 day', jsonb_build_object('n', n), n * 1.5, 'c' || n
  from generate_series(1, 20) n;
create table u (id int, t_id int not null, tag text not null, unique (t_id, tag));
insert into u select n, n % 20 + 1, 'tag' || n from generate_series(1, 20) n;
create table "Mixed Case" ("Id" int primary key, "select" int);
create table parent (id int primary key); create table heir () inherits (parent);
create table split (id int not null, at date not null, primary key (id, at)) partition by range (at);
create table split_one partition of split for values from ('2024-01-01') to ('2025-01-01');
create sequence s; select nextval('s');
create schema other;
create table other.t (id int primary key, a int);
create table other.away (id int primary key);

create function stable_f(int) returns int language sql stable as 'select $1 + 1';
create function stable_set(int) returns setof t language sql stable as 'select * from t where id > $1';
create function immutable_f(int) returns int language plpgsql immutable as 'begin return $1 * 2; end';
create function writing_f(int) returns bigint language sql as 'select nextval(''s'') + $1';
create function writing_set() returns setof bigint language sql volatile as 'select nextval(''s'')';
create function notifying_f() returns int language plpgsql as $$ begin perform pg_notify('x', 'y'); return 1; end $$;
create function sneaky_f(int) returns bigint language sql stable as 'select nextval(''s'') + $1';
create function sneaky_locks() returns int language plpgsql immutable as $$ begin perform pg_advisory_lock(42); return 1; end $$;
create function sneaky_dynamic(text) returns int language plpgsql stable as $$ begin execute $1; return 1; end $$;
create function sneaky_twice(int) returns bigint language sql stable as 'select sneaky_f($1)';
create function body_f(int) returns bigint language sql stable begin atomic select nextval('s') + $1; end;
create function default_f(a bigint default nextval('s')) returns bigint language sql stable as 'select $1';
create function "Quoted F"(int) returns bigint language sql as 'select nextval(''s'')';
create function other.safe_here(int) returns int language sql immutable as 'select 1';
create function public.safe_there(int) returns bigint language sql as 'select nextval(''s'')';
create function other.safe_there(int) returns int language sql immutable as 'select 1';
create function of_row(t) returns bigint language sql volatile as 'select nextval(''s'')';
create function steady_of_row(t) returns int language sql immutable as 'select ($1).id';
create function clock_f() returns timestamptz language sql stable as 'select now()';
create procedure do_it() language sql as 'insert into t (id) values (1000)';

create function add_writing(bigint, int) returns bigint language sql volatile as 'select $1 + nextval(''s'')';
create aggregate writing_sum(int) (sfunc = add_writing, stype = bigint, initcond = '0');
create aggregate steady_sum(int) (sfunc = int4pl, stype = int, initcond = '0');
create function writing_op(int, int) returns bigint language sql volatile as 'select nextval(''s'')';
create operator @+@ (leftarg = int, rightarg = int, function = writing_op);
create function other.point_op(point, int) returns bigint language sql volatile as 'select nextval(''s'')';
create operator other.<+> (leftarg = point, rightarg = int, function = other.point_op);
create operator ### (leftarg = int, rightarg = int, function = int4mul);

create function checking_f(text) returns boolean language plpgsql as 'begin perform nextval(''s''); return true; end';
create domain email as text check (checking_f(value));
create domain positive as int check (value > 0);
create type pair as (x int, y email);
create type plain_pair as (x int, y text);
create type mood as enum ('sad', 'fine');
create type hue as enum ('red');
create table letters (id int primary key, mail email, mood mood);
insert into letters values (1, 'x@y', 'fine');
create function takes_email(email) returns int language sql immutable as 'select 1';
create function hue_of(plain_pair) returns hue language sql volatile as 'select ''red''::hue from nextval(''s'')';
create cast (plain_pair as hue) with function hue_of(plain_pair);

create view safe_v as select id, a from t;
create view two_v as select t.id, u.tag from t join u on u.t_id = t.id where stable_f(t.id) > 2;
create view seq_v as select id, nextval('s') as n from t;
create view over_v as select * from seq_v;
create view fn_v as select writing_f(id) as f from t;
create view sneaky_v as select sneaky_f(id) as f from t;
create view op_v as select id @+@ id as f from t;
create view lock_v as select pg_try_advisory_lock(7);
create view domain_v as select b::email from t;
create view now_v as select now() as at, id from t;
create view cut_v as select id from t limit 3;
create view agg_v as select array_agg(id) as ids from t;
create view catalog_v as select relname from pg_class;
create materialized view stored_v as select id, a from t;
create table shared_name (id int); create view other.shared_name as select nextval('s');

create table guarded (id int primary key, owner text);
alter table guarded enable row level security;
create policy p on guarded using (writing_f(id) > 0);
create table guarded_well (id int primary key, owner text);
alter table guarded_well enable row level security;
create policy p on guarded_well using (owner = current_user);
create table guarded_writes (id int primary key);
alter table guarded_writes enable row level security;
create policy p on guarded_writes for insert with check (writing_f(id) > 0);

create foreign data wrapper nothing; create server nowhere foreign data wrapper nothing;
create foreign table abroad (id int) server nowhere;
create table half_abroad (id int, at date) partition by range (at);
create foreign table half_abroad_one partition of half_abroad for values from ('2024-01-01') to ('2025-01-01') server nowhere;
`
