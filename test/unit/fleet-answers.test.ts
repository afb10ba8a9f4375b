// What a coordinator makes of its members' answers, heard and read in any order.
import { expect, it } from 'vitest'
import { Answers } from '../../src/fleet/answers.js'
import type { Answer, Member } from '../../src/fleet/words.js'

const member = (name: string, said?: Answer, attempt = 'now'): Member => ({
  member: name,
  host: 'here',
  pid: 1,
  service: name,
  version: '1.2.3',
  side: 'old',
  phase: 'shadow',
  epoch: 1,
  inFlight: 0,
  oldestMillis: undefined,
  backends: [],
  protocol: 1,
  beat: 1,
  heard: '',
  joined: '',
  attempt: said && attempt,
  said,
  reason: undefined,
})

it('counts whoever has come as far, by what was heard and by what was read', () => {
  const answers = new Answers('now')
  const all = [member('a'), member('b', 'drained'), member('c', 'stopped', 'before'), member('d', 'held')]
  const missing = (wanted: Answer): string[] => answers.missing(all, wanted).map((one) => one.member)
  expect([missing('armed'), missing('drained')]).toEqual([
    ['a', 'c'],
    ['a', 'c', 'd'],
  ])
  expect([
    answers.hear('drained a now'),
    answers.hear('stopped c before'),
    answers.hear('drained d now'),
  ]).toEqual(['drained', undefined, 'drained'])
  expect([missing('armed'), missing('drained'), missing('stopped')]).toEqual([
    ['c'],
    ['c'],
    ['a', 'b', 'c', 'd'],
  ])
})

it('takes the later of what was heard and read, and a failure in any case', () => {
  const answers = new Answers('now')
  answers.hear('held a now')
  expect([
    answers.of(member('a')),
    answers.of(member('a', 'drained')),
    answers.of(member('a', 'armed')),
  ]).toEqual(['held', 'drained', 'held'])
  answers.hear('failed a now')
  expect([
    answers.of(member('a', 'drained')),
    answers.missing([member('a', 'drained')], 'armed'),
  ]).toMatchObject(['failed', [{ member: 'a' }]])
})

it('takes nothing that is no answer', () => {
  const answers = new Answers('now')
  for (const payload of ['', 'drained', 'drained a', 'quiet a now', 'toString a now'])
    expect(answers.hear(payload)).toBeUndefined()
  expect(answers.of(member('a'))).toBeUndefined()
})
