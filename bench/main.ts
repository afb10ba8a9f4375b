// Runs one benchmark by name: `npm run bench -- facade --stub --json`.
import { parseArgs } from 'node:util'
import { printMachine } from './machine.js'

interface Flags {
  readonly stub: boolean
  readonly quick: boolean
}

/** Prints for people as it goes, and gives the figures for machines. */
type Benchmark = (flags: Flags) => Promise<Readonly<Record<string, unknown>>>

// Each is loaded only when it is asked for: what a benchmark needs must not weigh on another.
const BENCHMARKS = {
  clients: {
    answers: 'what does a query through each library take on the facade, against its stock pool?',
    run: async ({ quick }) => (await import('./clients.js')).clients(quick),
  },
  'dual-write': {
    answers: 'what does a mirror by dual-write cost its writers, and how fast is it?',
    run: async ({ quick }) => (await import('./dual-write.js')).dualWrite(quick),
  },
  facade: {
    answers: 'what does the facade at rest add to a query? (--stub: over a pool that does nothing)',
    run: async ({ stub, quick }) => (await import('./facade.js')).facade(stub, quick),
  },
  fleet: {
    answers: 'how long does a whole fleet pause, and what do its members cost at rest?',
    run: async ({ quick }) => (await import('./fleet.js')).fleet(quick),
  },
  flip: {
    answers:
      'how long does a flip take, from the write of the flag to the swapped route and the changed phase?',
    run: async ({ stub, quick }) => (await import('./flip.js')).flip(stub, quick),
  },
  hold: {
    answers: 'what do 10,000 held queries weigh, and how long does their release block the event loop?',
    run: async ({ stub, quick }) => (await import('./hold.js')).hold(stub, quick),
  },
  load: {
    answers: 'how long does the main entry take to load, over pg itself?',
    run: async ({ quick }) => (await import('./load.js')).load(quick),
  },
  lookup: {
    answers: 'what does it cost to know the phase, against asking the SDK of a flag service each time?',
    run: async ({ quick }) => (await import('./lookup.js')).lookup(quick),
  },
  reads: {
    answers: 'what does it cost to know whether a text only reads, and to learn a schema?',
    run: async ({ quick }) => (await import('./reads.js')).reads(quick),
  },
  shadow: {
    answers:
      'what does comparing one read in a hundred cost its callers, and the process? (--stub: a call that is not chosen)',
    run: async ({ stub, quick }) => (await import('./shadow.js')).shadow(stub, quick),
  },
} as const satisfies Record<string, { answers: string; run: Benchmark }>

const usage = `usage: npm run bench -- <name> [--stub] [--quick] [--json]
${Object.entries(BENCHMARKS)
  .map(([name, { answers }]) => `  ${name.padEnd(12)}${answers}`)
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
