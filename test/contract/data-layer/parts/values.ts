// Every type, read and written back: the facade gives and takes what the library's own pool does.
import { describe, expect, it } from 'vitest'
import type { Fixture, Place } from './fixture.js'

const COLUMNS = [
  'big',
  'amount',
  'document',
  'tags',
  'counts',
  'bytes',
  'day',
  'moment',
  'plain',
  'flag',
  'mood',
  'ratio',
  'uid',
  'nothing',
] as const

export function valuesContract(fixture: Fixture, place: Place): void {
  describe('the types', () => {
    it('come as on its own pool, value by value', async () => {
      const [given, expected] = [await place.session().readSpecimen(1), await fixture.stock().readSpecimen(1)]
      expect(Object.keys(given).toSorted()).toEqual(['id', ...COLUMNS].toSorted())
      for (const column of COLUMNS) {
        expect(given[column], column).toStrictEqual(expected[column])
        expect(classOf(given[column]), column).toBe(classOf(expected[column]))
      }
      expect(given['nothing']).toBeNull()
      expect(given['flag']).toBe(true)
      expect(given['mood']).toBe('wild')
    })

    it('are written back without loss', async () => {
      const id = place.kind === 'stock' ? 2 : 3
      await place.session().writeSpecimen(await place.session().readSpecimen(1), id)
      const columns = COLUMNS.map((column) => `${column}::text as ${column}`).join(', ')
      const [written, original] = await fixture.observe(
        'old',
        `select ${columns} from specimen where id in (1, $1) order by id desc`,
        [id],
      )
      expect(written).toEqual(original)
      await fixture.observe('old', 'delete from specimen where id = $1', [id])
    })
  })
}

function classOf(value: unknown): string {
  return typeof value === 'object' && value !== null ? value.constructor.name : typeof value
}
