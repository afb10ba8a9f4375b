// The error class, and the guard that also recognises errors of another copy of the library.
import { describe, expect, it } from 'vitest'
import { CutoverError, ERROR_CODES, isCutoverError, type CutoverErrorCode } from '../../src/errors.js'

const codes = Object.keys(ERROR_CODES) as CutoverErrorCode[]

describe('CutoverError', () => {
  it.each(codes)('%s is an Error with a code, and is recognised by it', (code) => {
    const error = new CutoverError(code, 'got this, expected that')
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ name: 'CutoverError', code, message: 'got this, expected that' })
    expect(String(error)).toBe('CutoverError: got this, expected that')
    expect(isCutoverError(error)).toBe(true)
    expect(codes.filter((other) => isCutoverError(error, other))).toEqual([code])
  })

  it('keeps its cause and its details, and has neither when none was given', () => {
    const cause = new Error('socket closed')
    const details = { leases: [1] }
    expect(new CutoverError('ERR_DRAIN_TIMEOUT', 'x', { cause, details })).toMatchObject({ cause, details })
    const bare = new CutoverError('ERR_BUSY', 'x')
    expect('cause' in bare).toBe(false)
    expect('details' in bare).toBe(false)
  })

  it('has the shape that data layers expect of a database error only where it takes its place', () => {
    for (const code of codes)
      expect(new CutoverError(code, 'x').severity).toBe(code === '57P03' ? 'FATAL' : undefined)
  })
})

describe('isCutoverError', () => {
  it('recognises an error of another copy', () => {
    class CutoverErrorOfAnotherCopy extends Error {
      override name = 'CutoverError'
      code = 'ERR_BUSY'
    }
    const foreign = new CutoverErrorOfAnotherCopy('x')
    expect(isCutoverError(foreign)).toBe(true)
    expect(isCutoverError(foreign, 'ERR_BUSY')).toBe(true)
    expect(isCutoverError(foreign, 'ERR_ENDED')).toBe(false)
  })

  it.each([
    ['a plain error', new Error('x')],
    [
      "an error of the database with one of our codes, as 57P03 is the server's own too",
      Object.assign(new Error('x'), { code: '57P03' }),
    ],
    [
      'our name with a foreign code',
      Object.assign(new Error('x'), { name: 'CutoverError', code: 'ERR_NONSENSE' }),
    ],
    [
      'our name with a name of Object',
      Object.assign(new Error('x'), { name: 'CutoverError', code: 'toString' }),
    ],
    ['our name without a code', Object.assign(new Error('x'), { name: 'CutoverError' })],
    ['no error at all', { name: 'CutoverError', code: 'ERR_BUSY' }],
    ['nothing', undefined],
    ['null', null],
    ['a string', 'ERR_BUSY'],
  ])('is false for %s', (_, value) => {
    expect(isCutoverError(value)).toBe(false)
  })
})
