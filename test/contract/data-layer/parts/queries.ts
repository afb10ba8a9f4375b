// Statements outside of transactions, with and without parameters, one and many at a time.
import { describe, expect, it } from 'vitest'
import type { Fixture, Place } from './fixture.js'

export function queriesContract(fixture: Fixture, place: Place): void {
  describe('a statement', () => {
    it('gives its rows', async () => {
      const rows = await place.session().query('select side from marker')
      expect(rows).toEqual([{ side: 'old' }])
    })

    it('may give none', async () => {
      expect(await place.session().query('select side from marker where false')).toEqual([])
    })

    it('takes parameters', async () => {
      const values = ['it\'s; $1 "quoted"', 7, null, 'ünï☃'] as const
      const [row] = await place
        .session()
        .query('select $1::text as text, $2::int as number, $3::text as nothing, $4::text as more', values)
      expect(row).toEqual({ text: values[0], number: 7, nothing: null, more: values[3] })
    })

    it('is one of a hundred at once, each with its own answer', async () => {
      const numbers = Array.from({ length: 100 }, (_, index) => index)
      const answers = await Promise.all(
        numbers.map((number) => place.session().query('select $1::int as number', [number])),
      )
      expect(answers.flat()).toEqual(numbers.map((number) => ({ number })))
    })

    it('writes what is read again', async () => {
      const text = fixture.unique()
      const id = await place.session().addNote(text)
      expect(id).toBeTypeOf('number')
      expect(await fixture.observe('old', 'select id from note where text = $1', [text])).toEqual([{ id }])
      const notes = await place.session().notes()
      expect(notes.at(-1)).toBe(text)
      expect(await fixture.observe('new', 'select from note')).toEqual([])
    })
  })
}
