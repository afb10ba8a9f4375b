// Callers that read and write all the time while the facade moves there and back: nothing fails, nothing is lost or doubled.
import { describe, expect, it } from 'vitest'
import type { Session } from '../subject.js'
import { APPLICATION, type Fixture } from './fixture.js'
import { signal } from './together.js'

const CALLERS = 16

interface Written {
  readonly text: string
  /** As the transaction that wrote it has read it; undefined for what was written without one. */
  readonly side: unknown
}

interface Load {
  readonly written: readonly (readonly Written[])[]
  readonly failures: readonly unknown[]
  /** Resolves when every caller has written so many more. */
  more(count: number): Promise<void>
  stop(): Promise<void>
}

function startLoad(session: Session, name: string): Load {
  const written: Written[][] = []
  const failures: unknown[] = []
  const stopping = new AbortController()
  let progress = signal()

  async function caller(number: number): Promise<void> {
    const mine: Written[] = (written[number] = [])
    for (let turn = 0; !stopping.signal.aborted; turn++) {
      const text = `${name}, caller ${number}, turn ${turn}`
      try {
        mine.push(turn % 2 === 0 ? await plain(session, text) : await inTransaction(session, text))
      } catch (error) {
        failures.push(error)
      }
      progress.give()
    }
  }

  const ended = Promise.all(Array.from({ length: CALLERS }, (_, number) => caller(number)))
  return {
    written,
    failures,
    async more(count) {
      const wanted = written.map((mine) => mine.length + count)
      while (failures.length === 0 && written.some((mine, number) => mine.length < (wanted[number] ?? 0))) {
        await progress.given
        progress = signal()
      }
    },
    async stop() {
      stopping.abort()
      await ended
    },
  }
}

async function plain(session: Session, text: string): Promise<Written> {
  await session.addNote(text)
  return { text, side: undefined }
}

async function inTransaction(session: Session, text: string): Promise<Written> {
  return session.transaction(async (tx) => {
    const [before] = await tx.query('select side from marker')
    await tx.addNote(text)
    const [after] = await tx.query('select side from marker')
    if (before?.['side'] !== after?.['side']) throw new Error('a transaction has seen both sides')
    return { text, side: before?.['side'] }
  })
}

export function loadContract(fixture: Fixture): void {
  describe(`${CALLERS} callers at work`, () => {
    const on = async (side: 'old' | 'new', name: string): Promise<string[]> =>
      (
        await fixture.observe<{ text: string }>(
          side,
          'select text from note where text like $1 order by id',
          [`${name},%`],
        )
      ).map(({ text }) => text)

    it('notice nothing of a cutover and the way back', async () => {
      const { session, cutover } = fixture.facade()
      const name = fixture.unique()
      const load = startLoad(session, name)
      await load.more(3)
      await cutover.advance('new')
      const leftAtOld = await on('old', name)
      await load.more(3)
      const stillAtOld = await on('old', name)
      await cutover.advance('old')
      const leftAtNew = await on('new', name)
      await load.more(3)
      await load.stop()

      expect(load.failures).toEqual([])
      expect(stillAtOld, 'written on OLD after the move away from it').toEqual(leftAtOld)
      const [old, opened] = [await on('old', name), await on('new', name)]
      expect(opened, 'written on NEW after the move away from it').toEqual(leftAtNew)
      const acknowledged = load.written.flat()
      expect([...old, ...opened].toSorted()).toEqual(acknowledged.map(({ text }) => text).toSorted())
      for (const { text, side } of acknowledged)
        if (side !== undefined) expect((side === 'old' ? old : opened).includes(text), text).toBe(true)
      const movedAway = new Set(leftAtOld)
      for (const mine of load.written) {
        // Each caller writes one after another: there, and back, and no third time.
        const sides = mine.map(({ text }) =>
          opened.includes(text) ? 'new' : movedAway.has(text) ? 'before' : 'after',
        )
        expect(sides.filter((side, index) => side !== sides[index - 1])).toEqual(['before', 'new', 'after'])
      }
      expect(cutover.status()).toMatchObject({ waiting: 0, inFlight: { old: 0, new: 0 } })
      const atWork = `select query from pg_stat_activity where ${APPLICATION} and state <> 'idle'`
      expect(await fixture.observe('new', atWork)).toEqual([])
    })
  })
}
