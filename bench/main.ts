// Runs one benchmark by name: `npm run bench -- facade --stub --json`.
import { parseArgs } from 'node:util'
import { facadeOnServer } from './facade-on-server.js'
import { facadeOnStub } from './facade-on-stub.js'
import { held } from './held.js'
import { load } from './load.js'
import { printMachine } from './machine.js'

interface Flags {
  readonly stub: boolean
  readonly quick: boolean
}

/** Prints for people as it goes, and gives the figures for machines. */
type Benchmark = (flags: Flags) => Promise<Readonly<Record<string, unknown>>>

const BENCHMARKS = {
  facade: {
    answers: 'what does the facade at rest add to a query? (--stub: over a pool that does nothing)',
    run: (flags) => (flags.stub ? facadeOnStub(flags.quick) : facadeOnServer(flags.quick)),
  },
  held: {
    answers: 'what do 10,000 held queries weigh, and how long does their release block the event loop?',
    run: (flags) => held(flags.stub, flags.quick),
  },
  load: { answers: 'how long does the main entry take to load, over pg itself?', run: () => load() },
} as const satisfies Record<string, { answers: string; run: Benchmark }>

const usage = `usage: npm run bench -- <name> [--stub] [--quick] [--json]
${Object.entries(BENCHMARKS)
  .map(([name, { answers }]) => `  ${name.padEnd(8)}${answers}`)
  .join('\n')}
  --stub  no server: pools and clients that answer at once
  --quick a tenth of the samples
  --json  one JSON object as the last line`

function refuse(message: string): never {
  console.error(`${message}\n${usage}`)
  process.exit(2)
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        stub: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    return refuse((error as Error).message)
  }
}

const { values, positionals } = readArguments()
if (values.help) {
  console.log(usage)
  process.exit(0)
}
const [name, ...more] = positionals
if (name === undefined || more.length > 0) refuse('expected the name of one benchmark')
if (!Object.hasOwn(BENCHMARKS, name)) refuse(`"${name}" is no benchmark`)
printMachine()
const figures = await BENCHMARKS[name as keyof typeof BENCHMARKS].run(values)
if (values.json) console.log(JSON.stringify({ bench: name, ...figures }))
