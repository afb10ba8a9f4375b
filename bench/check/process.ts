// A process for one gate, since what one has compiled, or has left on the heap, must not weigh on another: <gate> <rule> <url> <variant>...
import { decide, type Rule } from './decide.js'
import { GATES } from './gates.js'

const [name, rule, url, ...variants] = process.argv.slice(2)
if (name === undefined || rule === undefined || !Object.hasOwn(GATES, name))
  throw new Error(`${name} is no gate`)
const gate = await GATES[name as keyof typeof GATES]()
for (const variant of variants.length === 0 ? [undefined] : variants) {
  const opened = await gate.open(variant, url || undefined)
  try {
    const asked: Omit<Rule, 'warmUp'> & Partial<Rule> = JSON.parse(rule)
    const decision = await decide(gate.most, () => opened.sample(), { warmUp: gate.warmUp, ...asked })
    console.log(JSON.stringify({ variant, ...decision }))
  } finally {
    await opened.close()
  }
}
