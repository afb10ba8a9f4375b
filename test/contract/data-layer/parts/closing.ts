// Shutdown: what the library opened is closed, and what others use lives on.
import { describe, expect, it } from 'vitest'
import { APPLICATION, type Fixture, type Place } from './fixture.js'
import { rejection, settled } from './settled.js'

export function closingContract(fixture: Fixture, place: Place): void {
  const backends = (): Promise<number> =>
    fixture
      .observe('old', `select pid from pg_stat_activity where ${APPLICATION}`)
      .then((rows) => rows.length)

  describe('a library that is closed', () => {
    it('takes no more calls', async () => {
      const session = await place.open({ max: 2 })
      await session.query('select 1 as one')
      await session.close()
      await rejection(session.query('select 1 as one'))
    })

    it('may be closed again with the same outcome as on its own pool', async () => {
      const closedTwice = async (open: Place['open']): Promise<unknown> => {
        const session = await open({ max: 2 })
        await session.query('select 1 as one')
        await session.close()
        return settled(session.close())
      }
      expect(await closedTwice(place.open)).toEqual(await closedTwice(fixture.openStock))
    })

    if (place.kind === 'stock')
      it('leaves no backend', async () => {
        const before = await backends()
        const session = await place.open({ max: 2 })
        await session.query('select 1 as one')
        expect(await backends()).toBeGreaterThan(before)
        await session.close()
        await expect.poll(backends).toBe(before)
      })
    else
      it('leaves the migration and its other views as they are', async () => {
        const before = await backends()
        const { session, cutover } = await fixture.openFacade({ max: 2 })
        const other = cutover.createPool()
        await session.query('select 1 as one')
        await session.close()
        for (const pool of [other, cutover.pool])
          expect((await pool.query('select side from marker')).rows).toEqual([{ side: 'old' }])
        await cutover.advance('new')
        expect((await other.query('select side from marker')).rows).toEqual([{ side: 'new' }])
        expect(cutover.status().inFlight).toEqual({ old: 0, new: 0 })
        await cutover.end()
        await expect.poll(backends).toBe(before)
      })
  })
}
