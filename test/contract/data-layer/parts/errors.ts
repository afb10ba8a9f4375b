// Errors of the database: the library's own, with the same class, name, code and message on both pools.
import { describe, expect, it } from 'vitest'
import type { Session } from '../subject.js'
import { MAX, type Fixture, type Place } from './fixture.js'
import { rejection, shapeOf } from './settled.js'
import { allClientsAreThere } from './together.js'

const TEXT = 'a note that there is'

const FAILURES: readonly (readonly [string, string, (session: Session) => Promise<unknown>])[] = [
  ['a syntax error', '42601', (session) => session.query('selct 1')],
  ['a table that is not there', '42P01', (session) => session.query('select 1 from nowhere')],
  ['a key that is there', '23505', (session) => session.addNote(TEXT)],
  [
    'a key that is there, in a transaction',
    '23505',
    (session) => session.transaction((tx) => tx.addNote(TEXT)),
  ],
  [
    'a reference to nothing',
    '23503',
    (session) => session.query("insert into post (title, author_id) values ('x', 0)"),
  ],
  ['a missing value', '23502', (session) => session.query('insert into author (id, name) values (0, null)')],
  ['a value of no use', '22P02', (session) => session.query("select 'x'::int")],
]

export function errorsContract(fixture: Fixture, place: Place): void {
  describe('an error', () => {
    it.each(FAILURES)('is told as on its own pool: %s', async (_, state, fails) => {
      await fixture.observe('old', 'insert into note (text) values ($1) on conflict do nothing', [TEXT])
      const error = await rejection(fails(place.session()))
      expect(fixture.layer.sqlState(error)).toBe(state)
      expect(shapeOf(error)).toEqual(shapeOf(await rejection(fails(fixture.stock()))))
    })

    it('costs no client', async () => {
      for (let times = 0; times <= MAX; times++) await rejection(place.session().query('selct 1'))
      await allClientsAreThere(place.session(), MAX)
    })
  })
}
