// HTML and SVG as text, with everything that comes from outside escaped.

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export const escaped = (text: string): string => text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? '')

/** Coordinates: two digits after the point are finer than any screen. */
export const px = (value: number): string => String(Math.round(value * 100) / 100)

export const ms = (value: number): string => `${value.toFixed(value < 100 ? 1 : 0)} ms`

export const count = (value: number): string => value.toLocaleString('en')

/** A table with a head; the first column is text, the others are numbers. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, values: readonly string[]): string =>
    `<tr>${values.map((value) => `<${tag}>${escaped(value)}</${tag}>`).join('')}</tr>`
  return `<div class="scroll"><table><thead>${cells('th', heads)}</thead><tbody>${rows
    .map((row) => cells('td', row))
    .join('')}</tbody></table></div>`
}
