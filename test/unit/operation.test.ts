// What counts as a read and what as a write in the samples of the traffic.
import { describe, expect, it } from 'vitest'
import { operationOf } from '../../src/reads/operation.js'

describe('by the result', () => {
  it.each([
    [{ command: 'SELECT', rows: [] }, 'read'],
    [{ command: 'FETCH' }, 'read'],
    [{ command: 'INSERT' }, 'write'],
    [{ command: 'MERGE' }, 'write'],
    [{ command: 'COPY' }, 'write'],
    [{ command: 'BEGIN' }, undefined],
    [{ command: 'SET' }, undefined],
    [{ command: 'CREATE' }, undefined],
    [{ command: null }, undefined],
    [[{ command: 'SELECT' }, { command: 'UPDATE' }], 'write'],
    [[{ command: 'SET' }, { command: 'SELECT' }], 'read'],
    [[{ command: 'BEGIN' }, { command: 'COMMIT' }], undefined],
    [{ rows: [] }, undefined],
  ])('%j: %s', (result, operation) => {
    expect(operationOf('select 1', result)).toBe(operation)
  })
})

it.each([
  ['with a as (insert into t values (1) returning *) select * from a', 'write'],
  ['with a as (select 1) select * from a', 'read'],
  [{ text: 'with a as (delete from t) select 1' }, 'write'],
  [{ name: 'prepared before' }, 'read'],
])('what a `with` has written counts, though the server says SELECT: %j: %s', (given, operation) => {
  expect(operationOf(given, { command: 'SELECT' })).toBe(operation)
})

describe('without a result, by the text', () => {
  it.each([
    ['select 1', 'read'],
    ['\n  SELECT 1', 'read'],
    ['-- the insert of orders\nselect 1', 'read'],
    ['/* update * / ** */ -- delete\n /**/insert into t values (1)', 'write'],
    ['((select 1) union (select 2))', 'read'],
    ['values (1)', 'read'],
    ['with a as (select 1) select * from a', 'read'],
    ['with a as (delete from t returning *) select * from a', 'write'],
    ['do $$ begin end $$', 'write'],
    ['begin', undefined],
    ['set search_path = a', undefined],
    ['-- select', undefined],
    ['/* select 1', undefined],
    ['', undefined],
    [{ text: 'delete from t', values: [] }, 'write'],
    [{ name: 'prepared before' }, undefined],
    [undefined, undefined],
  ])('%j: %s', (given, operation) => {
    expect(operationOf(given, undefined)).toBe(operation)
  })

  it('a text of comments and dashes alone takes no time', () => {
    const started = performance.now()
    expect(operationOf('-'.repeat(20_000), undefined)).toBeUndefined()
    expect(operationOf('/**/'.repeat(20_000), undefined)).toBeUndefined()
    expect(operationOf('/*'.repeat(20_000), undefined)).toBeUndefined()
    expect(performance.now() - started).toBeLessThan(1_000)
  })
})
