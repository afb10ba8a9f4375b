// What `pin` may be told besides its work, and what it refuses.
import { afterEach, describe, expect, it } from 'vitest'
import {
  createCutover,
  memorySource,
  type Cutover,
  type CutoverOptions,
  type PinOptions,
} from '../../src/index.js'

const NOWHERE = { connectionString: 'postgres://nobody@127.0.0.1:1/nothing' }

let made: Cutover[] = []

afterEach(async () => {
  for (const cutover of made.splice(0)) await cutover.end()
})

function migration(more: Partial<CutoverOptions> = {}): Cutover {
  const cutover = createCutover({
    name: 'orders',
    old: NOWHERE,
    new: { ...NOWHERE },
    source: memorySource('old'),
    ...more,
  })
  cutover.ready().catch(() => {})
  made.push(cutover)
  return cutover
}

const refusal = (pinned: Promise<unknown>): Promise<unknown> =>
  pinned.then(
    () => 'done',
    (error: unknown) => error,
  )

describe('a pin', () => {
  it.each([
    ['none', {}],
    ['replication', { control: true, mirror: 'replication' }],
  ] as const)('is not to wait for a mirror that is "%s"', async (mirror, more) => {
    let begun = false
    const refused = await refusal(migration(more).pin({ await: 'applied' }, () => (begun = true)))
    expect(refused).toMatchObject({
      code: 'ERR_OPTION',
      message: `pin: await is "applied" and mirror is "${mirror}"; expected mirror: 'dual-write', since no other mirror can be waited for`,
    })
    expect(begun).toBe(false)
  })

  it.each([
    [{ await: 'recorded' }, `pin: await is "recorded"; expected 'applied', or to be left out`],
    [{ wait: 'applied' }, 'pin: wait is no option; did you mean await?'],
    [null, 'pin:  got null; expected an object with options'],
  ])('refuses %o', async (given, message) => {
    const refused = await refusal(migration().pin(given as PinOptions, () => 1))
    expect(refused).toMatchObject({ code: 'ERR_OPTION', message })
  })

  it('needs its work', async () => {
    const refused = await refusal(migration().pin({}, undefined as unknown as () => void))
    expect(refused).toMatchObject({ message: 'pin: work is of type undefined; expected a function' })
  })

  it('runs with no option as without any', async () => {
    const cutover = migration()
    expect(await cutover.pin({}, (side) => side)).toBe('old')
    expect(await cutover.pin({ await: undefined }, (side) => side)).toBe('old')
    expect(await cutover.pin((side) => side)).toBe('old')
  })
})
