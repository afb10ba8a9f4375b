// Prints the table of one part as soon as it is known.
import { HEAD, line } from './outcome.js'
import type { Part } from './report.js'

/** Gives the part back, so that it can be printed where it is made. */
export function printPart(part: Part, print: (text: string) => void = console.log): Part {
  print(`\n${part.title}\n\n${HEAD}`)
  for (const outcome of part.outcomes) print(line(outcome))
  return part
}
