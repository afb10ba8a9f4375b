// Who waits for the other side goes on with the right ticket or look, not before, and nobody is forgotten.
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { AppliedWaits, type RecordLook } from '../../src/dual-write/applied-waits.js'
import { AppliedWaiter, type AppliedMirror } from '../../src/dual-write/await-applied.js'
import { isCutoverError } from '../../src/errors.js'

const { signal } = new AbortController()

/** A member whose tickets, and a record whose looks, are answered by hand. */
function waits(leading: boolean) {
  const tickets: (() => void)[] = []
  const looks: { answer(look: RecordLook): void; fail(): void }[] = []
  const member = {
    leading,
    applied: () => new Promise<void>((resolve) => void tickets.push(resolve)),
  }
  const asked: (() => void)[] = []
  const made = new AppliedWaits(
    member,
    () =>
      new Promise((resolve, reject) => {
        looks.push({ answer: resolve, fail: () => reject(new Error('no answer')) })
        for (const one of asked.splice(0)) one()
      }),
  )
  /** The look of this number, as soon as it was asked for. */
  const look = async (at: number): Promise<(typeof looks)[number]> => {
    for (let found = looks[at]; ; found = looks[at]) {
      if (found) return found
      await new Promise<void>((resolve) => void asked.push(resolve))
    }
  }
  return { made, member, tickets, looks, look }
}

/** Notes when each of them goes on. */
function watched(made: AppliedWaits) {
  const over: string[] = []
  return {
    over,
    wait: (name: string) => made.passed(signal).then(() => over.push(name)),
  }
}

describe('in the process that leads', () => {
  it('a ticket lets those go on for whom it was taken', async () => {
    const { made, tickets } = waits(true)
    const { over, wait } = watched(made)
    const first = wait('first')
    const second = wait('second')
    expect(tickets).toHaveLength(2)
    tickets[1]?.()
    await second
    expect(over).toEqual(['second'])
    tickets[0]?.()
    await first
    made.close()
  })

  it('takes no more tickets than a pool has callers, and the rest share the next one', async () => {
    const { made, tickets } = waits(true)
    const { over, wait } = watched(made)
    const all = Array.from({ length: 500 }, (_, at) => wait(String(at)))
    expect(tickets).toHaveLength(32)
    tickets[5]?.()
    await all[5]
    await Promise.resolve()
    expect(tickets).toHaveLength(33)
    tickets[32]?.()
    await Promise.all(all.slice(32))
    expect(over).toHaveLength(1 + 468)
    made.close()
    await Promise.all(all)
  })

  it('asks the record where a ticket is late, as after the lead was lost', async () => {
    const { made, tickets, look } = waits(true)
    const waiting = made.passed(signal)
    ;(await look(0)).answer({ boundary: 7n, oldest: undefined })
    await waiting
    expect(tickets).toHaveLength(1)
    made.close()
  })
})

describe('in every other process', () => {
  it('one look at a time serves everybody', async () => {
    const { made, looks, look } = waits(false)
    const all = Array.from({ length: 50 }, () => made.passed(signal))
    ;(await look(0)).answer({ boundary: 100n, oldest: 40n })
    ;(await look(1)).answer({ boundary: 120n, oldest: 99n })
    ;(await look(2)).answer({ boundary: 140n, oldest: 100n })
    await Promise.all(all)
    expect(looks).toHaveLength(3)
    made.close()
  })

  it('a look that had begun before says nothing of what was committed after it', async () => {
    const { made, look } = waits(false)
    const { over, wait } = watched(made)
    const early = wait('early')
    const first = await look(0)
    const late = wait('late')
    first.answer({ boundary: 10n, oldest: undefined })
    await early
    ;(await look(1)).answer({ boundary: 20n, oldest: 15n })
    const third = await look(2)
    expect(over).toEqual(['early'])
    third.answer({ boundary: 30n, oldest: 20n })
    await late
    made.close()
  })

  it('asks again where the record could not be looked at', async () => {
    const { made, look } = waits(false)
    const waiting = made.passed(signal)
    ;(await look(0)).fail()
    ;(await look(1)).answer({ boundary: 3n, oldest: undefined })
    await waiting
    made.close()
  })

  it('asks no more when nobody waits', async () => {
    const { made, looks, look } = waits(false)
    const giveUp = new AbortController()
    const waiting = made.passed(giveUp.signal)
    ;(await look(0)).answer({ boundary: 3n, oldest: 1n })
    giveUp.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await delay(20)
    expect(looks).toHaveLength(1)
    made.close()
  })

  it('takes up the lead, and its first ticket is also for those who waited before', async () => {
    const { made, member, tickets, look } = waits(false)
    const before = made.passed(signal)
    await look(0)
    member.leading = true
    const after = made.passed(signal)
    expect(tickets).toHaveLength(1)
    tickets[0]?.()
    await Promise.all([before, after])
    made.close()
  })
})

it.each([true, false])('everybody goes on when the direction is over (leading: %s)', async (leading) => {
  const { made, look } = waits(leading)
  const all = [made.passed(signal), made.passed(signal)]
  if (!leading) await look(0)
  made.close()
  await Promise.all(all)
  await made.passed(signal)
})

describe('the wait of a caller', () => {
  const mirror = (active: boolean, passed: AppliedMirror['passed']) => {
    let woken = 0
    return { active, passed, wake: () => void woken++, woken: () => woken }
  }
  const never = (aborted: AbortSignal): Promise<void> =>
    new Promise((_, reject) => {
      aborted.addEventListener('abort', () => reject(aborted.reason as Error))
    })

  it('is none without a mirror', () => {
    expect(new AppliedWaiter(() => undefined, 10).wait()).toBeUndefined()
    expect(new AppliedWaiter(() => mirror(false, never), 10).wait()).toBeUndefined()
  })

  it('wakes the relay, and is over when the other side has it', async () => {
    const one = mirror(true, () => Promise.resolve())
    await new AppliedWaiter(() => one, 10).wait()
    expect(one.woken()).toBe(1)
  })

  it('says after its time that the work is done and must not be repeated, and keeps what it gave', async () => {
    const waiter = new AppliedWaiter(() => mirror(true, never), 10)
    const rows = { rows: [{ id: 1 }] }
    const error: unknown = await waiter.wait(rows)?.catch((reason: unknown) => reason)
    expect(isCutoverError(error, 'ERR_NOT_APPLIED')).toBe(true)
    expect(error).toMatchObject({
      message:
        'the work is committed on the writer and on record, and the other side was not seen to have it within 10 ms (awaitTimeoutMillis); it will have it, so do not repeat the work',
    })
    expect((error as { result?: unknown }).result).toBe(rows)
    expect(Object.keys(error as object)).not.toContain('result')
  })

  it('does not outlive the migration', async () => {
    const waiter = new AppliedWaiter(() => mirror(true, never), 60_000)
    const waiting = waiter.wait()
    waiter.close()
    await expect(waiting).rejects.toMatchObject({
      code: 'ERR_NOT_APPLIED',
      message: expect.stringContaining('before the migration was ended'),
    })
    await expect(waiter.wait()).rejects.toMatchObject({ code: 'ERR_NOT_APPLIED' })
  })
})
