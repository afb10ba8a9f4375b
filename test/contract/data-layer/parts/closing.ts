// Shutdown: what the library opened is closed, and what others use lives on.
import { describe, expect, it } from 'vitest'
import type { Session } from '../subject.js'
import type { Fixture, Place } from './fixture.js'
import { rejection, settled } from './settled.js'

export function closingContract(fixture: Fixture, place: Place): void {
  /** What `open` gives once it is in use, and the backends that there are since. */
  async function inUse<T>(open: () => Promise<T>, session: (opened: T) => Session) {
    const before = new Set(await fixture.backends())
    const opened = await open()
    await session(opened).query('select 1 as one')
    const made = (await fixture.backends()).filter((pid) => !before.has(pid))
    expect(made).not.toEqual([])
    return [opened, made] as const
  }

  describe('a library that is closed', () => {
    it(fixture.layer.reopens ? 'opens again for the next call' : 'takes no more calls', async () => {
      const session = await place.open({ max: 2 })
      await session.query('select 1 as one')
      await session.close()
      const next = session.query('select 1 as one')
      if (fixture.layer.reopens) expect(await next).toEqual([{ one: 1 }])
      else await rejection(next)
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
        const [session, made] = await inUse(
          () => place.open({ max: 2 }),
          (opened) => opened,
        )
        await session.close()
        await fixture.gone('old', made)
      })
    else
      it('leaves the migration and its other views as they are', async () => {
        const [{ session, cutover }, made] = await inUse(
          () => fixture.openFacade({ max: 2 }),
          (opened) => opened.session,
        )
        const other = cutover.createPool()
        await session.close()
        for (const pool of [other, cutover.pool])
          expect((await pool.query('select side from marker')).rows).toEqual([{ side: 'old' }])
        await cutover.advance('new')
        expect((await other.query('select side from marker')).rows).toEqual([{ side: 'new' }])
        expect(cutover.status().inFlight).toEqual({ old: 0, new: 0 })
        await cutover.end()
        await fixture.gone('old', made)
      })
  })
}
