// The phase table: its two spellings, where the writer changes, and what is refused as a phase.
import { describe, expect, it } from 'vitest'
import { isCutoverError } from '../../src/errors.js'
import { memorySource } from '../../src/phase/memory-source.js'
import { otherSide, parsePhase, parseWish, PHASE_NAMES, PHASES, writerOf } from '../../src/phase/phases.js'
import type { SourceReport } from '../../src/phase/source.js'

describe('the table', () => {
  it('has the six phases in their order', () => {
    expect(PHASE_NAMES).toEqual(['old', 'mirror', 'shadow', 'live', 'rampdown', 'new'])
  })

  it('changes the writer in one place only, with the reads', () => {
    const changes = PHASE_NAMES.flatMap((phase, index) => {
      const before = PHASE_NAMES[index - 1]
      return before !== undefined && writerOf(before) !== writerOf(phase) ? [`${before} → ${phase}`] : []
    })
    expect(changes).toEqual(['shadow → live'])
    for (const phase of PHASE_NAMES) expect(PHASES[phase].reads).toBe(PHASES[phase].writes)
  })

  it('mirrors to the side that is not written, and compares only what is mirrored', () => {
    for (const { writes, mirroredTo, compared } of Object.values(PHASES)) {
      if (mirroredTo !== undefined) expect(mirroredTo).toBe(otherSide(writes))
      if (compared) expect(mirroredTo).toBeDefined()
    }
  })
})

describe('parsing', () => {
  it.each(PHASE_NAMES)('%s is read by its name and by its stage', (phase) => {
    expect(parseWish(phase)).toBe(phase)
    expect(parseWish(PHASES[phase].stage)).toBe(phase)
    expect(parsePhase(PHASES[phase].stage)).toBe(phase)
  })

  it('takes hold as a wish and refuses it as a phase', () => {
    expect(parseWish('hold')).toBe('hold')
    expect(() => parsePhase('hold')).toThrow('"hold" is no phase to rest in; expected one of old, mirror')
  })

  it.each([
    'OLD',
    ' old',
    '',
    'constructor',
    '__proto__',
    'toString',
    0,
    1,
    true,
    null,
    undefined,
    {},
    ['old'],
    Symbol('old'),
    () => 'old',
  ])('refuses %o and says what is accepted', (value) => {
    let refusal: unknown
    try {
      parseWish(value)
    } catch (error) {
      refusal = error
    }
    expect(isCutoverError(refusal, 'ERR_SOURCE_VALUE')).toBe(true)
    expect(String(refusal)).toContain(
      'is no phase; expected one of old, off, mirror, dualwrite, shadow, live',
    )
  })
})

describe('memorySource', () => {
  it('is silent until it is told, then reports each word, and nothing after close', () => {
    const source = memorySource()
    const heard: SourceReport[] = []
    void source.watch((report) => heard.push(report), { name: 'orders' })
    expect(heard).toEqual([])
    source.set('mirror')
    source.set('hold')
    void source.close()
    source.set('live')
    expect(heard).toEqual([
      { kind: 'value', value: 'mirror' },
      { kind: 'value', value: 'hold' },
    ])
  })

  it('reports what it was told before anybody watched', () => {
    const source = memorySource('old')
    source.set('shadow')
    const heard: SourceReport[] = []
    void source.watch((report) => heard.push(report), { name: 'orders' })
    expect(heard).toEqual([{ kind: 'value', value: 'shadow' }])
  })
})
