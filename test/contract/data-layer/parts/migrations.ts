// The library's own migrations, where it has them: on the side in use, once.
import { describe, expect, it } from 'vitest'
import type { Side } from '../../../support/databases.js'
import type { Fixture, Place } from './fixture.js'

export function migrationsContract(fixture: Fixture, place: Place): void {
  if (fixture.lacks('migrate')) {
    it('has no migrations', () => expect(place.session().migrate).toBeUndefined())
    return
  }

  const isThere = async (side: Side): Promise<boolean> =>
    (await fixture.observe(side, "select where to_regclass('migrated') is not null")).length === 1

  async function runTwiceOn(side: Side): Promise<void> {
    expect(await isThere(side)).toBe(false)
    await place.session().migrate?.()
    expect(await isThere(side)).toBe(true)
    await place.session().migrate?.()
  }

  describe('its migrations', () => {
    if (place.kind === 'stock')
      it('are run once, however often they are asked for', async () => {
        await runTwiceOn('old')
        expect(await isThere('new')).toBe(false)
      })
    else
      it('are run on the side in use', async () => {
        const { cutover } = fixture.facade()
        await cutover.advance('new')
        await runTwiceOn('new')
        await cutover.advance('old')
      })
  })
}
