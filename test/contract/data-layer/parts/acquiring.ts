// All clients out: who ends the wait, and that the client which comes too late is not lost.
import { describe, expect, it } from 'vitest'
import type { Fixture, Place } from './fixture.js'
import { rejection } from './settled.js'
import { allClientsAreThere, openTransaction } from './together.js'

/** Long enough for a connection to be opened in on a busy machine. */
export const TIMEOUT_MILLIS = 250

export function acquiringContract(fixture: Fixture, place: Place): void {
  const { acquireTimeoutOf, acquireExtraMillis = 0 } = fixture.layer

  describe('when every client is out', () => {
    it(`a call ${acquireTimeoutOf === 'none' ? 'waits until one is back' : 'fails after the time it was given'}`, async () => {
      const session = await place.open({ max: 1, acquireTimeoutMillis: TIMEOUT_MILLIS })
      const open = await openTransaction(session)
      const waiting = session.query('select side from marker')
      if (acquireTimeoutOf !== 'none') {
        const since = performance.now()
        await rejection(waiting)
        // A library's own timer may have begun a little before.
        expect(performance.now() - since).toBeGreaterThan(TIMEOUT_MILLIS + acquireExtraMillis - 10)
      }
      await open.commit()
      if (acquireTimeoutOf === 'none') expect(await waiting).toEqual([{ side: 'old' }])
      await allClientsAreThere(session, 1)
    })
  })
}
