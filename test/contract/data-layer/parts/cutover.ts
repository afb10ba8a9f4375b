// A cutover in the middle of work: what is under way ends where it began, and what comes later is on the other side.
import { describe, expect, it } from 'vitest'
import { MAX, type Fixture } from './fixture.js'
import { routed } from './hold.js'
import { cancelled, RUNNING } from './cancelling.js'
import { settled } from './settled.js'
import { allClientsAreThere, openTransaction } from './together.js'

export function cutoverContract(fixture: Fixture): void {
  const sidesOf = async (text: string): Promise<string[]> => {
    const found: string[] = []
    for (const side of ['old', 'new'] as const)
      if ((await fixture.observe(side, 'select from note where text = $1', [text])).length > 0)
        found.push(side)
    return found
  }

  describe('a cutover', () => {
    it('waits for an open transaction, and later work waits for the cutover', async () => {
      const facade = fixture.facade()
      const { session, cutover } = facade
      const [within, after] = [fixture.unique(), fixture.unique()]
      // What a library sets up on a new connection would wait in the hold, and a read behind it.
      await allClientsAreThere(session, MAX)
      const open = await openTransaction(session)
      // A transaction that is silent for a while may wait for a held call, which is let through then: this one is at work.
      await fixture.observe('old', 'select pg_advisory_lock(1)')
      // Goes on in the turn of its own answer, as any code in a transaction does.
      const rest = open.tx.query('select 1 as one from pg_advisory_xact_lock(1)').then(async () => {
        const seen = await open.tx.query('select side from marker')
        await open.tx.addNote(within)
        return seen
      })
      const flip = settled(cutover.advance('new'))
      await routed(facade, 'held')
      let ended = 0
      const waiting = <T>(call: Promise<T>): Promise<T> => call.finally(() => ended++)
      const read = session.query('select side from marker')
      const work = waiting(
        session.transaction(async (tx) => {
          await tx.addNote(after)
          return tx.query('select side from marker')
        }),
      )
      const { readsWait } = fixture.layer
      const later = [readsWait ? waiting(read) : read, work]
      if (!readsWait) expect(await read).toEqual([{ side: 'old' }])
      expect([ended, cutover.status().route]).toEqual([0, 'held'])
      await fixture.observe('old', 'select pg_advisory_unlock(1)')
      expect(await rest).toEqual([{ side: 'old' }])
      await open.commit()
      expect(await flip).toHaveProperty('ok')
      const sides = (await Promise.all(later)).map(([row]) => row?.['side'])
      if (!fixture.layer.pins) expect(sides).toEqual([readsWait ? 'new' : 'old', 'new'])
      expect([await sidesOf(within), await sidesOf(after)]).toEqual([['old'], [sides[1]]])
      expect(await session.query('select side from marker')).toEqual([{ side: 'new' }])
      await cutover.advance('old')
    })

    it('waits for work that is asked for from inside a transaction, on the side of that transaction', async () => {
      const facade = fixture.facade()
      const { session, cutover } = facade
      const open = await openTransaction(session)
      const flip = settled(cutover.advance('new'))
      await routed(facade, 'held')
      // Whoever has an answer of the transaction goes on at once, as any code in it does.
      const nested = await open.tx
        .query('select 1 as one')
        .then(() => session.query('select side from marker'))
      expect(nested).toEqual([{ side: 'old' }])
      await open.commit()
      expect(await flip).toHaveProperty('ok')
      await cutover.advance('old')
    })

    it('moves back what was moved', async () => {
      const { session, cutover } = fixture.facade()
      for (const phase of ['new', 'old', 'new', 'old'] as const) {
        await cutover.advance(phase)
        expect(await session.query('select side from marker')).toEqual([{ side: phase }])
      }
      await allClientsAreThere(session, MAX)
    })

    if (!fixture.lacks('stream'))
      it('waits for a stream, which gives its rows to the last', async () => {
        const facade = fixture.facade()
        const { session, cutover } = facade
        const sides: unknown[] = []
        let flip: Promise<unknown> | undefined
        const text = 'select side, n from marker, generate_series(1, 600) n'
        for await (const { side } of session.stream?.(text) ?? []) {
          if (sides.push(side) > 1) continue
          flip = settled(cutover.advance('new'))
          await routed(facade, 'held')
        }
        expect(sides).toEqual(Array.from({ length: 600 }, () => 'old'))
        expect(await flip).toHaveProperty('ok')
        expect(await session.query('select side from marker')).toEqual([{ side: 'new' }])
        await cutover.advance('old')
      })

    if (!fixture.lacks('cancelAfter')) {
      it('goes on when the statement that it waits for is given up', async () => {
        const facade = fixture.facade()
        const { session, cutover } = facade
        const givenUp = cancelled(session, 100)
        await fixture.seen('old', RUNNING)
        const flip = settled(cutover.advance('new'))
        await routed(facade, 'held')
        await givenUp
        expect(await flip).toHaveProperty('ok')
        expect(await session.query('select side from marker')).toEqual([{ side: 'new' }])
        await cutover.advance('old')
      })

      it('is followed by the means to give up statements on the other side', async () => {
        const { session, cutover } = fixture.facade()
        await cutover.advance('new')
        const givenUp = cancelled(session, 50)
        await fixture.seen('new', RUNNING)
        await givenUp
        await fixture.nothingOut()
        await cutover.advance('old')
      })
    }
  })
}
