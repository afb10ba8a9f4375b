// What every picture is made of: elements with their text escaped, a ground, colours for light and dark, and words for those who hear it.

export const WIDTH = 760
/** Of the text, which nothing measures here: a little more than a letter is wide on average. */
export const LETTER = 6.6

type Attributes = Readonly<Record<string, string | number>>

export function element(name: string, attributes: Attributes, ...content: readonly string[]): string {
  const own = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? tenth(value) : escaped(value)}"`)
    .join('')
  return content.length === 0 ? `<${name}${own}/>` : `<${name}${own}>${content.join('')}</${name}>`
}

export function label(text: string, attributes: Attributes): string {
  return element('text', attributes, escaped(text))
}

/** A line with a foot at each end, along x or y. */
export function whisker(from: Point, to: Point): string {
  const across = from.y === to.y ? { x: 0, y: 4 } : { x: 4, y: 0 }
  const foot = ({ x, y }: Point): string =>
    `M${tenth(x - across.x)} ${tenth(y - across.y)}l${2 * across.x} ${2 * across.y}`
  return element('path', {
    class: 'whisker',
    d: `M${tenth(from.x)} ${tenth(from.y)}L${tenth(to.x)} ${tenth(to.y)}${foot(from)}${foot(to)}`,
  })
}

export interface Point {
  readonly x: number
  readonly y: number
}

/** `told` is read out instead of what is seen. */
export function svg(title: string, told: string, height: number, body: readonly string[]): string {
  return `${element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      width: WIDTH,
      height,
      viewBox: `0 0 ${WIDTH} ${tenth(height)}`,
      role: 'img',
      'aria-labelledby': 'title desc',
    },
    '\n',
    [
      element('title', { id: 'title' }, escaped(title)),
      element('desc', { id: 'desc' }, escaped(told)),
      element('style', {}, STYLE),
      element('rect', { class: 'ground', width: WIDTH, height }),
      label(title, { class: 'heading', x: 24, y: 26 }),
      ...body,
    ].join('\n'),
    '\n',
  )}\n`
}

/** The marks of code of Markdown are not for a picture. */
const escaped = (text: string): string =>
  text.replaceAll('`', '').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

const tenth = (value: number): string => String(Math.round(value * 10) / 10)

export const SERIES = 6

// The ground is drawn too: what shows the picture may be dark where the reader's system is light.
const STYLE = `
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--ink);paint-order:stroke;stroke:var(--ground);stroke-width:4px;stroke-linejoin:round}
.heading{font-weight:600}
.tick,.axis{fill:var(--faint);font-size:12px}
.ground{fill:var(--ground)}
.grid{stroke:var(--grid);fill:none}
.start{stroke:var(--faint);fill:none}
.bar{fill:var(--s0)}
.missed{fill:var(--missed)}
.whisker{stroke:var(--ink);stroke-width:1.5;fill:none}
.limit{stroke:var(--ink);stroke-width:2;stroke-dasharray:4 2;fill:none}
.same{stroke:var(--ink);stroke-width:1.5;fill:var(--ground)}
${Array.from({ length: SERIES }, (_, nr) => `.line${nr}{stroke:var(--s${nr});stroke-width:2;fill:none}.dot${nr}{fill:var(--s${nr})}`).join('\n')}
svg{--ground:#ffffff;--ink:#1f2328;--faint:#59636e;--grid:#d9dee3;--missed:#c1352b;--s0:#2f6fb0;--s1:#b35c00;--s2:#2b7a3d;--s3:#8250b5;--s4:#00788a;--s5:#a03070}
@media (prefers-color-scheme:dark){svg{--ground:#0d1117;--ink:#e6edf3;--faint:#9aa4af;--grid:#2a313a;--missed:#ff7b72;--s0:#58a6ff;--s1:#e3a04f;--s2:#56c271;--s3:#c297ff;--s4:#4cc9d9;--s5:#f28cc1}}
`
