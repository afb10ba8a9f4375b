// The statements listed for indexes that the other side lacks make it have them, and nothing is listed that it has.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { missingIndexes } from '../../../src/dual-write/indexes.js'
import { fixture, type Fixture } from '../mirror/fixture.js'

const OLD = `
  create table public.orders (id int primary key, place text not null, at date, nr int not null, during int4range, extra int);
  create index by_place on public.orders (place);
  create index by_lower on public.orders (lower(place) text_pattern_ops) where nr > 5;
  create index by_two on public.orders using btree (at desc nulls last, nr) include (place) with (fillfactor = 70);
  create unique index once on public.orders (place, nr);
  alter table public.orders add constraint only_nr unique (nr) deferrable initially deferred;
  alter table public.orders add constraint apart exclude using gist (during with &&);
  create index of_extra on public.orders (extra);
  create table public.there (id int primary key, a int, b int);
  create index a_there on public.there (a);
  alter table public.there add constraint b_once unique (b);
  create table public.half (id int primary key, a int, b int);
  create index half_a on public.half (a);
  create index half_b on public.half (b);
  create table public.parts (day date, id int, note text, primary key (day, id)) partition by range (day);
  create table public.parts_1 partition of public.parts for values from ('2020-01-01') to ('2020-02-01');
  create table public.parts_2 partition of public.parts for values from ('2020-02-01') to ('2020-03-01') partition by hash (id);
  create table public.parts_2a partition of public.parts_2 for values with (modulus 1, remainder 0);
  create index on public.parts (note);
  create index own_of_1 on public.parts_1 (id);
  alter table public.parts add constraint parts_once unique (day, id, note);`

const NEW = `
  create schema shop;
  create table shop.orders (extra_of_new int, nr int not null, place text not null, at date, during int4range, id int primary key);
  create table public.by_place (id int);
  create table shop.by_place (id int primary key);
  create table shop.there (id int primary key, a int, b int);
  create index another_name on shop.there (a) with (fillfactor = 50);
  create unique index b_bare on shop.there (b);
  create table shop.half (id int primary key, a int, b int);
  create table shop.parts (day date, id int, note text, primary key (day, id)) partition by range (day);
  create table shop.parts_1 partition of shop.parts for values from ('2020-01-01') to ('2020-02-01');
  create table shop.parts_2 partition of shop.parts for values from ('2020-02-01') to ('2020-03-01') partition by hash (id);
  create table shop.parts_2a partition of shop.parts_2 for values with (modulus 1, remainder 0);`

let f: Fixture
beforeAll(async () => {
  f = await fixture({ schemas: { old: OLD, new: NEW }, dualWrite: { mapped: { 'public.*': 'shop.*' } } })
  await f.new('insert into shop.half values (1, 1, 1), (2, 1, 1)')
})
afterAll(() => f.drop())

it('lists what is missing, table by table', async () => {
  const missing = await missingIndexes(f.m, 'old')
  expect(
    Object.fromEntries(missing.map(({ name, statements, blocks }) => [name, { statements, blocks }])),
  ).toEqual({
    by_place: {
      statements: ['CREATE INDEX CONCURRENTLY "by_place_1" ON "shop"."orders" USING btree (place)'],
      blocks: false,
    },
    by_lower: {
      statements: [
        'CREATE INDEX CONCURRENTLY "by_lower" ON "shop"."orders" USING btree (lower(place) text_pattern_ops) WHERE (nr > 5)',
      ],
      blocks: false,
    },
    by_two: {
      statements: [
        `CREATE INDEX CONCURRENTLY "by_two" ON "shop"."orders" USING btree (at DESC NULLS LAST, nr) INCLUDE (place) WITH (fillfactor='70')`,
      ],
      blocks: false,
    },
    once: {
      statements: ['CREATE UNIQUE INDEX CONCURRENTLY "once" ON "shop"."orders" USING btree (place, nr)'],
      blocks: false,
    },
    only_nr: {
      statements: [
        'CREATE UNIQUE INDEX CONCURRENTLY "only_nr" ON "shop"."orders" USING btree (nr)',
        'ALTER TABLE "shop"."orders" ADD CONSTRAINT "only_nr" UNIQUE USING INDEX "only_nr" DEFERRABLE INITIALLY DEFERRED',
      ],
      blocks: false,
    },
    apart: {
      statements: ['ALTER TABLE "shop"."orders" ADD CONSTRAINT "apart" EXCLUDE USING gist (during WITH &&)'],
      blocks: true,
    },
    b_once: {
      statements: ['ALTER TABLE "shop"."there" ADD CONSTRAINT "b_once" UNIQUE USING INDEX "b_bare"'],
      blocks: false,
    },
    half_a: {
      statements: ['CREATE INDEX CONCURRENTLY "half_a" ON "shop"."half" USING btree (a)'],
      blocks: false,
    },
    half_b: {
      statements: ['CREATE INDEX CONCURRENTLY "half_b" ON "shop"."half" USING btree (b)'],
      blocks: false,
    },
    parts_note_idx: {
      statements: [
        'CREATE INDEX "parts_note_idx" ON ONLY "shop"."parts" USING btree (note)',
        'CREATE INDEX "parts_2_parts_note_idx" ON ONLY "shop"."parts_2" USING btree (note)',
        'CREATE INDEX CONCURRENTLY "parts_1_parts_note_idx" ON "shop"."parts_1" USING btree (note)',
        'CREATE INDEX CONCURRENTLY "parts_2a_parts_note_idx" ON "shop"."parts_2a" USING btree (note)',
        'ALTER INDEX "shop"."parts_2_parts_note_idx" ATTACH PARTITION "shop"."parts_2a_parts_note_idx"',
        'ALTER INDEX "shop"."parts_note_idx" ATTACH PARTITION "shop"."parts_2_parts_note_idx"',
        'ALTER INDEX "shop"."parts_note_idx" ATTACH PARTITION "shop"."parts_1_parts_note_idx"',
      ],
      blocks: false,
    },
    own_of_1: {
      statements: ['CREATE INDEX CONCURRENTLY "own_of_1" ON "shop"."parts_1" USING btree (id)'],
      blocks: false,
    },
    parts_once: {
      statements: ['ALTER TABLE "shop"."parts" ADD CONSTRAINT "parts_once" UNIQUE (day, id, note)'],
      blocks: true,
    },
  })
})

it('has nothing more to list once they were run, in whichever direction', async () => {
  for (const { statements } of await missingIndexes(f.m, 'old'))
    for (const text of statements) await f.new(text)
  expect(await missingIndexes(f.m, 'old')).toEqual([])
  expect(await missingIndexes(f.m, 'new')).toEqual([])
})

it('mends one whose build has failed', async () => {
  await f.old('create unique index unlike on public.half (a, b)')
  await f.new('create unique index concurrently unlike on shop.half (a, b)').catch(() => {})
  await f.new('delete from shop.half')
  const [missing, ...more] = await missingIndexes(f.m, 'old')
  expect(more).toEqual([])
  expect(missing?.statements).toEqual(['REINDEX INDEX CONCURRENTLY "shop"."unlike"'])
  for (const text of missing?.statements ?? []) await f.new(text)
  expect(await missingIndexes(f.m, 'old')).toEqual([])
})

it('knows long names apart', async () => {
  const long = 'é'.repeat(31)
  await f.old(`create index ${long} on public.orders (during)`)
  await f.new(`create table shop.${long} (id int)`)
  const [missing] = await missingIndexes(f.m, 'old')
  expect(missing?.statements).toEqual([
    `CREATE INDEX CONCURRENTLY "${'é'.repeat(30)}_1" ON "shop"."orders" USING btree (during)`,
  ])
})
