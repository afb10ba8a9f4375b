// The tables of the data layer contract, equal on both sides but for the marker.
import pg from 'pg'

const SCHEMA = `
  create table marker (side text not null);
  create table note (id serial primary key, text text not null unique);
  create table account (id int primary key, balance int not null);
  create table author (id serial primary key, name text not null);
  create table post (
    id serial primary key,
    title text not null,
    author_id int not null references author (id)
  );
  create type mood as enum ('calm', 'wild');
  create table specimen (
    id int primary key,
    big bigint not null,
    amount numeric(30, 10) not null,
    document jsonb not null,
    tags text[] not null,
    counts int[] not null,
    bytes bytea not null,
    day date not null,
    moment timestamptz(3) not null,
    plain timestamp(3) not null,
    flag boolean not null,
    mood mood not null,
    ratio float8 not null,
    uid uuid not null,
    nothing text
  );
  insert into account select id, 100 from generate_series(1, 3) id;
  insert into author (name) select 'author ' || id from generate_series(1, 3) id;
  insert into post (title, author_id) select 'post ' || id, 1 + id % 3 from generate_series(1, 9) id;
  insert into specimen values (
    1, 9007199254740993, 12345678901234567890.0123456789, '{"b": [1, 2.5, null], "a": {"é": "\\u00fc"}}',
    '{"one","two, three","\\"four\\"",NULL}', '{1,-2,3}', '\\x00ff10', '2024-02-29',
    '2024-02-29 23:59:59.123+02', '2024-02-29 12:00:00.5', true, 'wild', 0.1,
    '6f1c6f0e-2f4b-4f0a-9a3c-0f3f8d1f2b11', null
  );`

export async function createDataLayerTables(url: string, side: 'old' | 'new'): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(SCHEMA)
    await client.query('insert into marker values ($1)', [side])
  } finally {
    await client.end()
  }
}
