// Giving up a statement: the server stops it, and the client is there for the next one.
import { describe, expect, it } from 'vitest'
import type { Session } from '../subject.js'
import { MAX, type Fixture, type Place } from './fixture.js'
import { rejection } from './settled.js'
import { allClientsAreThere } from './together.js'

const SLOW = 'select pg_sleep(60)'
export const RUNNING = `select pid from pg_stat_activity where datname = current_database() and state = 'active'
  and query like 'select pg_sleep(60)%'`

/** Gives a slow statement up after so long. */
export function cancelled(session: Session, millis: number): Promise<unknown> {
  if (session.cancelAfter === undefined) throw new Error('there is no way to cancel')
  return rejection(session.cancelAfter(SLOW, millis))
}

export function cancellingContract(fixture: Fixture, place: Place): void {
  if (fixture.lacks('cancelAfter')) {
    it('has no cancellation', () => expect(place.session().cancelAfter).toBeUndefined())
    return
  }

  describe('a statement that is given up', () => {
    it('is stopped on the server, and its client is there again', async () => {
      for (let times = 0; times <= MAX; times++) {
        await cancelled(place.session(), 20)
        await fixture.nothingOut()
      }
      expect(await place.session().query('select side from marker')).toEqual([{ side: 'old' }])
      await allClientsAreThere(place.session(), MAX)
    })
  })
}
