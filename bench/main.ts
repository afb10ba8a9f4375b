// Runs one benchmark by name: `npm run bench -- facade --stub --json`.
import { command, type Benchmarks } from './command.js'

// Each is loaded only when it is asked for: what a benchmark needs must not weigh on another.
const BENCHMARKS = {
  alternatives: {
    answers: 'what does the same work take through PgBouncer, the AWS wrapper, Prisma and LaunchDarkly?',
    run: async ({ quick }) => (await import('./alternatives.js')).alternatives(quick),
  },
  check: {
    answers: 'has anything become dearer that must not? (gates for CI; also --check)',
    run: async () => (await import('./check.js')).check(),
  },
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
  pause: {
    answers: 'how long do writes pause at a change of writer, over load, pool size and long queries?',
    run: async ({ quick }) => (await import('./pause.js')).pause(quick),
  },
  prove: {
    answers:
      'do the gates of check pass 30 clean runs, and fail what is broken on purpose? (--quick: 5 runs)',
    run: async ({ quick }) => (await import('./check/prove.js')).prove(quick),
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
} as const satisfies Benchmarks

await command(BENCHMARKS)
// The AWS wrapper's watchers of hosts go on for ever, and what ends them is not exported without an SDK of AWS.
process.exit()
