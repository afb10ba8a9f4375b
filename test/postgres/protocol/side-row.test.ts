// The rows of both sides: each change is compare-and-set, so that rivals and late processes can only lose.
import pg from 'pg'
import { beforeEach, afterEach, expect, it, describe } from 'vitest'
import { controlConnection } from '../../../src/control/control-connection.js'
import { changeChannel } from '../../../src/control/names.js'
import { ensureControlSchema } from '../../../src/control/schema.js'
import {
  abort,
  decide,
  insertMirror,
  insertWriter,
  open,
  readSide,
  setPhase,
} from '../../../src/control/side-row.js'
import type { SideRow, SideStatus } from '../../../src/control/side-row.js'
import { freshDatabase } from '../../support/databases.js'
import type { FreshDatabase } from '../../support/databases.js'

let database: FreshDatabase
let control: ReturnType<typeof controlConnection>
let rival: ReturnType<typeof controlConnection>

beforeEach(async () => {
  database = await freshDatabase('old')
  control = controlConnection({ side: 'old', config: { connectionString: database.url } })
  rival = control.fork()
  await ensureControlSchema(control)
})
afterEach(async () => {
  await Promise.all([control.close(), rival.close()])
  await database.drop()
})

const put = (status: SideStatus, epoch: number, opened: number): Promise<unknown> =>
  control.run(
    `insert into cutover.side (name, identity, epoch, status, opened, phase) values ('m', 'old', $1, $2, $3, 'shadow')
     on conflict (name) do update set epoch = $1, status = $2, opened = $3`,
    [epoch, status, opened],
  )

const row = async (): Promise<Pick<SideRow, 'status' | 'epoch' | 'opened'> | undefined> => {
  const found = await readSide(control, 'm')
  return found && { status: found.status, epoch: found.epoch, opened: found.opened }
}

describe('abort(5)', () => {
  it.each([
    ['lifts fenced(5)', 'fenced', 5, 4, { status: 'writer', epoch: 5, opened: 5 }],
    [
      'uses the epoch up before its fence has come',
      'writer',
      4,
      4,
      { status: 'writer', epoch: 5, opened: 5 },
    ],
    ['leaves moved(5) alone', 'moved', 5, 4, { status: 'moved', epoch: 5, opened: 4 }],
    ['leaves a later fence alone', 'fenced', 6, 5, { status: 'fenced', epoch: 6, opened: 5 }],
    ['leaves an earlier writer alone', 'writer', 3, 3, { status: 'writer', epoch: 3, opened: 3 }],
    ['leaves a mirror alone', 'mirror', 0, 0, { status: 'mirror', epoch: 0, opened: 0 }],
  ] as const)('%s', async (_, status, epoch, opened, after) => {
    await put(status, epoch, opened)
    const changes = after.status !== status || after.epoch !== epoch || after.opened !== opened
    expect(await abort(control, 'm', 5)).toBe(changes)
    expect(await row()).toEqual(after)
    expect(await abort(control, 'm', 5)).toBe(false)
    expect(await row()).toEqual(after)
  })
})

describe('decide(5)', () => {
  it.each([
    ['moves fenced(5)', 'fenced', 5, 4, true],
    ['refuses after an abort', 'writer', 5, 5, false],
    ['refuses before the fence', 'writer', 4, 4, false],
    ['refuses a later fence', 'fenced', 6, 5, false],
    ['refuses an earlier fence', 'fenced', 4, 3, false],
    ['is not done twice', 'moved', 5, 4, false],
  ] as const)('%s', async (_, status, epoch, opened, moves) => {
    await put(status, epoch, opened)
    expect(await decide(control, 'm', 5, '0/16B3748')).toBe(moves)
    expect(await row()).toEqual(moves ? { status: 'moved', epoch, opened } : { status, epoch, opened })
    expect((await readSide(control, 'm'))?.reverseLsn).toBe(moves ? '0/16B3748' : undefined)
  })

  it('and abort(5) at once: exactly one of them takes place', async () => {
    let decided = 0
    for (let round = 0; round < 60; round++) {
      await put('fenced', 5, 4)
      const both = [() => decide(control, 'm', 5, undefined), () => abort(rival, 'm', 5)] as const
      const [first, second] = round % 2 === 0 ? both : ([both[1], both[0]] as const)
      const results = await Promise.all([first(), second()])
      expect(results.filter(Boolean)).toHaveLength(1)
      const status = (await row())?.status
      expect(['moved', 'writer']).toContain(status)
      if (status === 'moved') decided++
    }
    console.log(`decide won ${decided} of 60 races`)
  })
})

describe('open(5)', () => {
  const moved: SideRow = {
    side: 'new',
    epoch: 5,
    status: 'moved',
    opened: 4,
    reverseLsn: '0/16B3748',
    phase: undefined,
    target: 'live',
  }

  it.each([
    ['opens a mirror', 'mirror', 0, 0],
    ['opens a side that was left before', 'moved', 4, 3],
  ] as const)('%s, once', async (_, status, epoch, opened) => {
    await put(status, epoch, opened)
    expect(await open(control, 'm', moved)).toBe(true)
    const once = await readSide(control, 'm')
    expect(once).toMatchObject({
      status: 'writer',
      epoch: 5,
      opened: 5,
      phase: 'live',
      reverseLsn: '0/16B3748',
    })
    expect(await open(rival, 'm', moved)).toBe(false)
    expect(await readSide(control, 'm')).toEqual(once)
    const [generation] = await control.run('select relay_generation::int as g from cutover.side')
    expect(generation).toEqual({ g: 1 })
  })

  it.each([
    ['after the side was fenced again', 'fenced', 6, 5],
    ['after the side was left again', 'moved', 6, 5],
    ['after a rollback was aborted', 'writer', 6, 6],
  ] as const)('changes nothing %s', async (_, status, epoch, opened) => {
    await put(status, epoch, opened)
    expect(await open(control, 'm', moved)).toBe(false)
    expect(await row()).toEqual({ status, epoch, opened })
  })
})

describe('the rows of a migration that begins', () => {
  it('stay as they are when prepared again: a side that was left stays left', async () => {
    await put('moved', 5, 4)
    expect(await insertMirror(control, 'm')).toBe(false)
    expect(await insertWriter(control, 'm', 'old')).toBe(false)
    expect(await row()).toEqual({ status: 'moved', epoch: 5, opened: 4 })
  })

  it('are refused where the two URLs were exchanged', async () => {
    await insertWriter(control, 'm', 'old')
    const exchanged = controlConnection({ side: 'new', config: { connectionString: database.url } })
    try {
      await expect(readSide(exchanged, 'm')).rejects.toMatchObject({
        code: 'ERR_PREFLIGHT',
        message: expect.stringContaining('exchange the two URLs'),
      })
    } finally {
      await exchanged.close()
    }
  })

  it('are unknown, not an error, before the control schema was made', async () => {
    await control.run('drop schema cutover cascade')
    expect(await readSide(control, 'm')).toBeUndefined()
  })
})

it('setPhase changes the phase of the writer that was read, and no other', async () => {
  await put('writer', 4, 4)
  const read = await readSide(control, 'm')
  if (!read) throw new Error('no row')
  expect(await setPhase(control, 'm', read, 'mirror')).toBe(true)
  expect(await setPhase(control, 'm', read, 'old')).toBe(false)
  expect((await readSide(control, 'm'))?.phase).toBe('mirror')
  await put('fenced', 5, 4)
  expect(await setPhase(control, 'm', { ...read, epoch: 5, phase: 'mirror' }, 'old')).toBe(false)
})

it('every change is announced, with its side, status and epoch', async () => {
  const heard: (string | undefined)[] = []
  const listener = new pg.Client({ connectionString: database.url })
  await listener.connect()
  try {
    const two = new Promise<void>((resolve) => {
      listener.on('notification', ({ payload }) => {
        heard.push(payload)
        if (heard.length === 2) resolve()
      })
    })
    await listener.query(`listen ${changeChannel('m')}`)
    await put('fenced', 5, 4)
    await decide(control, 'm', 5, undefined)
    // Changes nothing, so it says nothing.
    await abort(control, 'm', 5)
    await open(control, 'm', { ...(await mustRead()), epoch: 7, target: 'live' })
    await two
    expect(heard).toEqual(['old moved 5', 'old writer 7'])
  } finally {
    await listener.end()
  }
})

async function mustRead(): Promise<SideRow> {
  const found = await readSide(control, 'm')
  if (!found) throw new Error('no row')
  return found
}

describe('the control schema', () => {
  it('is made once by eight processes at the same moment', async () => {
    await control.run('drop schema cutover cascade')
    const many = Array.from({ length: 8 }, () => control.fork())
    try {
      await Promise.all(many.map((one) => ensureControlSchema(one)))
      expect(await control.run('select version from cutover.version')).toEqual([{ version: 5 }])
    } finally {
      await Promise.all(many.map((one) => one.close()))
    }
  })

  it('refuses a schema of the same name that is somebody else’s, and leaves it alone', async () => {
    await control.run('drop schema cutover cascade')
    await control.run('create schema cutover')
    await expect(ensureControlSchema(control)).rejects.toMatchObject({ code: 'ERR_PREFLIGHT' })
    expect(await control.run(`select from pg_class where relnamespace = 'cutover'::regnamespace`)).toEqual([])
  })

  it('refuses to work with what a newer version has made', async () => {
    await control.run('update cutover.version set version = 1000')
    await expect(ensureControlSchema(control)).rejects.toMatchObject({
      code: 'ERR_PREFLIGHT',
      message: expect.stringContaining('newer'),
    })
  })
})
