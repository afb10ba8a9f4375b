// What becomes of an answer that differs, and of one that does not.
import { expect, it } from 'vitest'
import { comparedSides, until } from './fixture.js'

const s = await comparedSides(`
  create table item (id int primary key, kind text, n int not null);
  insert into item select i, 'k' || i % 3, i % 10 from generate_series(1, 50) i;
  create table only_here (id int)`)
await s.on.new.query(`update item set n = 99 where id = 7; drop table only_here`)

const always = { rate: 1, lagTimeoutMillis: 20 }

it('smoke', async () => {
  const cutover = await s.begin('shadow', { shadow: always })
  cutover.on('warning', (w) => console.log(w))
  cutover.on('mismatch', (w) => console.log(w))
  const { pool } = cutover
  const totals = await until(cutover, ({ compared }) => compared >= 3, () => pool.query('select * from item where id = $1', [3]))
  expect(totals.outcomes.equal).toBeGreaterThanOrEqual(3)
  await until(cutover, ({ outcomes }) => outcomes.real >= 1, () => pool.query('select * from item where id = $1', [7]))
  console.log(JSON.stringify(cutover.shadow.report(), null, 1))
}, 20000)
