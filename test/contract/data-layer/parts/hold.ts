// A hold: calls wait for its end, nothing fails that would not have failed otherwise, and nobody is forgotten.
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { TIMEOUT_MILLIS } from './acquiring.js'
import type { Facade, Fixture } from './fixture.js'
import { rejection, settled } from './settled.js'
import { allClientsAreThere } from './together.js'

/** Resolves when the route has become this one. */
export async function routed({ cutover }: Facade, route: string): Promise<void> {
  while (cutover.status().route !== route)
    await once(cutover, 'route', { signal: AbortSignal.timeout(5_000) })
}

export function holdContract(fixture: Fixture): void {
  async function held(facade: Facade): Promise<void> {
    facade.source.set('hold')
    await routed(facade, 'held')
  }

  async function released(facade: Facade): Promise<void> {
    facade.source.set('old')
    await routed(facade, 'direct')
  }

  describe('a hold', () => {
    const { readsWait } = fixture.layer
    const what = readsWait ? 'statements, writes and transactions' : 'writes and transactions'
    it(`keeps waiting ${what}, and each is done once after it`, async () => {
      const facade = fixture.facade()
      const { session } = facade
      const texts = [fixture.unique(), fixture.unique()] as const
      await held(facade)
      let ended = 0
      const calls = [
        // Others are answered, if not at once: nothing was prepared for this hold.
        ...(readsWait ? [session.query('select side from marker')] : []),
        session.addNote(texts[0]),
        session.transaction((tx) => tx.addNote(texts[1])),
      ].map((call) => call.finally(() => ended++))
      // Their first statement would be on the server by now.
      await fixture.observe('old', 'select 1')
      await fixture.observe('old', 'select 1')
      expect(ended).toBe(0)
      await released(facade)
      await Promise.all(calls)
      expect(await session.query('select side from marker')).toEqual([{ side: 'old' }])
      expect(
        await fixture.observe('old', 'select text from note where text = any ($1) order by id', [texts]),
      ).toHaveLength(2)
    })

    const { acquireTimeoutOf, acquireExtraMillis = 0 } = fixture.layer
    const clock = { pool: 'does not run in', library: 'runs on in', none: 'is not there in' }[
      acquireTimeoutOf
    ]
    it(`is waited for: the time to wait for a client ${clock} it`, async () => {
      const facade = await fixture.openFacade({ max: 1, acquireTimeoutMillis: TIMEOUT_MILLIS })
      const { session } = facade
      await session.query('select 1 as one')
      await held(facade)
      const call = settled(session.transaction((tx) => tx.query('select side from marker')))
      if (acquireTimeoutOf === 'library') expect(await call).toHaveProperty('error')
      else await delay(TIMEOUT_MILLIS + acquireExtraMillis + 50)
      await released(facade)
      if (acquireTimeoutOf !== 'library') expect(await call).toEqual({ ok: [{ side: 'old' }] })
      // The client that came too late would be missed here.
      await allClientsAreThere(session, 1)
      await fixture.nothingOut(facade)
    })

    it('that is cut short by the end fails what waits, and leaves nothing', async () => {
      const facade = await fixture.openFacade({ max: 2 })
      await facade.session.query('select 1 as one')
      await held(facade)
      const waiting = rejection(facade.session.addNote(fixture.unique()))
      await facade.cutover.end()
      expect(await waiting).toBeInstanceOf(Error)
    })
  })
}
