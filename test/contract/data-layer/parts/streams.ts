// Rows one by one, to the end, half the way, and into an error.
import { describe, expect, it } from 'vitest'
import type { Row } from '../subject.js'
import { MAX, type Fixture, type Place } from './fixture.js'
import { rejection } from './settled.js'
import { allClientsAreThere } from './together.js'

export function streamsContract(fixture: Fixture, place: Place): void {
  if (fixture.lacks('stream')) {
    it('has no streaming', () => expect(place.session().stream).toBeUndefined())
    return
  }

  const stream = (text: string): AsyncIterable<Row> => {
    const rows = place.session().stream?.(text)
    if (rows === undefined) throw new Error('there is no stream')
    return rows
  }

  describe('a stream', () => {
    it('gives every row in its order', async () => {
      const seen: unknown[] = []
      for await (const { n } of stream('select n from generate_series(1, 1000) n')) seen.push(n)
      expect(seen).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1))
    })

    it('that is left half-way gives its client back', async () => {
      for (let times = 0; times <= MAX; times++) {
        for await (const { n } of stream('select n from generate_series(1, 100000) n')) if (n === 3) break
      }
      await allClientsAreThere(place.session(), MAX)
    })

    it('fails where its statement does, and gives its client back', async () => {
      for (let times = 0; times <= MAX; times++) {
        const error = await rejection(
          count(stream('select 10 / (500 - n) as n from generate_series(1, 1000) n')),
        )
        expect(fixture.layer.sqlState(error)).toBe('22012')
      }
      await allClientsAreThere(place.session(), MAX)
    })
  })
}

async function count(rows: AsyncIterable<Row>): Promise<number> {
  let number = 0
  for await (const _ of rows) number++
  return number
}
