// A backend is killed while idle, in a query, in a transaction: the library's own error, and the next call works.
import { describe, expect, it } from 'vitest'
import { MAX, type Fixture, type Place } from './fixture.js'
import { rejection, shapeOf } from './settled.js'
import { allClientsAreThere, openTransaction } from './together.js'
import { RUNNING } from './cancelling.js'
import type { Session } from '../subject.js'

export function killedContract(fixture: Fixture, place: Place): void {
  async function killedInQuery(session: Session): Promise<unknown> {
    const failed = rejection(session.query('select pg_sleep(60)'))
    const { pid } = await fixture.seen<{ pid: number }>('old', RUNNING)
    await fixture.kill('old', [pid])
    return failed
  }

  async function killedInTransaction(session: Session): Promise<unknown> {
    const open = await openTransaction(session)
    const [row] = await open.tx.query('select pg_backend_pid() as pid')
    await fixture.kill('old', [Number(row?.['pid'])])
    const error = await rejection(open.tx.query('select 1 as one'))
    // Some libraries end with the failure of their rollback.
    return [shapeOf(error), shapeOf(await open.fail(error as Error))]
  }

  const works = async (): Promise<void> => {
    expect(await place.session().query('select side from marker')).toEqual([{ side: 'old' }])
    await fixture.nothingOut()
    await allClientsAreThere(place.session(), MAX)
  }

  describe('a backend that is killed', () => {
    it('while idle is replaced', async () => {
      await allClientsAreThere(place.session(), MAX)
      await fixture.nothingOut()
      const backends = await fixture.backends()
      expect(backends.length).toBeGreaterThanOrEqual(MAX)
      await fixture.kill('old', backends)
      await works()
    })

    if (fixture.lacks('killedAtWork')) {
      if (place.kind === 'stock')
        it('in a query costs the library a client for good', async () => {
          const session = await place.open({ max: 2 })
          expect(fixture.layer.sqlState(await killedInQuery(session))).toMatch(/^(57P01|CONNECTION_CLOSED)$/)
          // Should it hold one day, the library has what it lacked.
          await expect(allClientsAreThere(session, 2, 500)).rejects.toThrow('only 1 of 2')
        })
      return
    }

    it('in a query fails that query alone', async () => {
      const error = await killedInQuery(place.session())
      expect(shapeOf(error)).toEqual(shapeOf(await killedInQuery(fixture.stock())))
      await works()
    })

    it('in a transaction fails that transaction alone', async () => {
      const errors = await killedInTransaction(place.session())
      expect(errors).toEqual(await killedInTransaction(fixture.stock()))
      await works()
    })
  })
}
