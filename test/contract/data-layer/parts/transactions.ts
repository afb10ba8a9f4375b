// Transactions: their ends, their savepoints, their isolation, and two that cannot both be.
import { describe, expect, it } from 'vitest'
import type { Isolation } from '../subject.js'
import type { Fixture, Place } from './fixture.js'
import { rejection } from './settled.js'
import { openTransaction } from './together.js'

const LEVELS: readonly Isolation[] = ['read committed', 'repeatable read', 'serializable']

export function transactionsContract(fixture: Fixture, place: Place): void {
  const stored = async (text: string): Promise<number> =>
    (await fixture.observe('old', 'select from note where text = $1', [text])).length

  describe('a transaction', () => {
    it('is seen by nobody else before its commit, and then by everybody', async () => {
      const text = fixture.unique()
      const open = await openTransaction(place.session())
      const id = await open.tx.addNote(text)
      expect(await open.tx.query('select text from note where id = $1', [id])).toEqual([{ text }])
      expect(await stored(text)).toBe(0)
      await open.commit()
      expect(await stored(text)).toBe(1)
    })

    it('gives what its work gives', async () => {
      expect(await place.session().transaction(() => Promise.resolve('given'))).toBe('given')
    })

    it('is rolled back when its work fails, and fails with the same error', async () => {
      const text = fixture.unique()
      const reason = new Error('the work fails')
      const open = await openTransaction(place.session())
      await open.tx.addNote(text)
      expect(await open.fail(reason)).toBe(reason)
      expect(await stored(text)).toBe(0)
    })

    it('is rolled back when one of its statements fails', async () => {
      const text = fixture.unique()
      const error = await rejection(
        place.session().transaction(async (tx) => {
          await tx.addNote(text)
          await tx.query('select 1 / $1::int', [0])
        }),
      )
      expect(fixture.layer.sqlState(error)).toBe('22012')
      expect(await stored(text)).toBe(0)
    })

    it.each(LEVELS)('is %s if it is asked to', async (level) => {
      const [row] = await place.session().transaction((tx) => tx.query('show transaction_isolation'), level)
      expect(row).toEqual({ transaction_isolation: level })
    })

    it('fails with 40001 where it cannot be serialized', async () => {
      const add = 'update account set balance = balance + $1::int where id = $2::int returning balance'
      const error = await rejection(
        place.session().transaction(async (late) => {
          // Its snapshot is older than the other's commit.
          await late.query('select balance from account where id = 2')
          await place.session().transaction((early) => early.query(add, [10, 2]))
          await late.query(add, [-10, 2])
        }, 'repeatable read'),
      )
      expect(fixture.layer.sqlState(error)).toBe('40001')
    })

    if (fixture.lacks('savepoint'))
      it('has no savepoint', async () => {
        expect(await place.session().transaction((tx) => Promise.resolve(tx.savepoint))).toBeUndefined()
      })
    else
      it('goes on from its savepoint when what came after it fails', async () => {
        const [kept, undone, later] = [fixture.unique(), fixture.unique(), fixture.unique()]
        await place.session().transaction(async (tx) => {
          if (tx.savepoint === undefined) throw new Error('there is no savepoint')
          await tx.addNote(kept)
          const failed = tx.savepoint(async (inner) => {
            await inner.addNote(undone)
            await inner.addNote(undone)
          })
          expect(fixture.layer.sqlState(await rejection(failed))).toBe('23505')
          await tx.savepoint((inner) => inner.addNote(later))
        })
        expect([await stored(kept), await stored(undone), await stored(later)]).toEqual([1, 0, 1])
      })
  })
}
