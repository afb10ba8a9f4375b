// Random values of types of which equal values may be written in more than one way, near enough that many are equal.

type Random = () => number
const pick = <T>(random: Random, choices: readonly T[]): T =>
  choices[Math.floor(random() * choices.length)] as T
const digit = (random: Random): string => pick(random, ['0', '0', '1', '5', '9'])
const number = (random: Random): string => {
  const fraction = pick(random, ['', '', `.${digit(random)}`, `.${digit(random)}0`, `.0${digit(random)}`])
  return `${pick(random, ['', '-'])}${digit(random)}${fraction}${pick(random, ['', '', 'e1', 'e2', 'e-1'])}`
}
const json = (random: Random, depth = 2): string => {
  const space = pick(random, ['', ' '])
  const scalars = [number(random), `"${pick(random, ['a', '\\u0061', 'b\\"'])}"`, 'true', 'null']
  if (depth === 0 || random() < 0.3) return pick(random, scalars)
  const items = Array.from({ length: Math.floor(random() * 3) }, () => json(random, depth - 1))
  if (random() < 0.4) return `[${items.join(`${space},`)}]`
  return `{${items.map((item) => `"${pick(random, ['a', 'b', '\\u0061'])}":${space}${item}`).join(',')}}`
}

const moment = (random: Random): string => {
  const day = `2024-0${pick(random, ['1', '3'])}-0${pick(random, ['1', '2'])}`
  const zone = pick(random, ['+00', '+01', '-14:30', '+05:30'])
  return `${day} ${pick(random, ['00', '01', '23'])}:30:00${pick(random, ['', '.5'])}${zone}`
}

const element = (random: Random): string => pick(random, ['NULL', number(random), number(random)])

interface Generated {
  readonly type: string
  readonly make: (random: Random) => string
  /** By whose `=` it is compared where it has none of its own. */
  readonly by?: string
}

const numberOrNot = (random: Random): string =>
  pick(random, ['NaN', 'Infinity', '-Infinity', number(random), number(random), number(random)])

const TIMES = ['0', '24:00', '-24:00', '720:00', '-0:00:00.5']
const interval = (random: Random): string =>
  `${pick(random, ['0', '1', '-1'])} mons ${pick(random, ['0', '30', '-30', '29'])} days ${pick(random, TIMES)}`

const text = (random: Random): string =>
  `${pick(random, ['', 'a', 'A', ' a'])}${pick(random, ['', ' ', '  '])}`

const numbers = (random: Random): string =>
  pick(random, [
    `{${element(random)},${element(random)}}`,
    `[0:0]={${element(random)}}`,
    `{${element(random)}}`,
  ])

const range = (random: Random): string => {
  const low = pick(random, ['', '0', '0.0', '-1'])
  const high = pick(random, ['', '1.0', '1', 'Infinity'])
  return `${pick(random, ['[', '('])}${low},${high}${pick(random, [']', ')'])}`
}

export const GENERATED: readonly Generated[] = [
  { type: 'numeric', make: numberOrNot },
  { type: 'float8', make: numberOrNot },
  { type: 'float4', make: number },
  { type: 'timestamptz', make: moment },
  { type: 'interval', make: interval },
  { type: 'jsonb', make: json },
  { type: 'json', make: json, by: 'jsonb' },
  { type: 'text', make: text },
  { type: 'bpchar', make: text },
  { type: 'numeric[]', make: numbers },
  {
    type: 'bpchar[]',
    make: (random) => `{"${pick(random, ['a', 'a ', 'NULL'])}",${pick(random, ['NULL', 'a', '"a,b"'])}}`,
  },
  { type: 'timestamptz[]', make: (random) => `{${moment(random)}}` },
  { type: 'numrange', make: range },
]
