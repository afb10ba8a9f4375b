// What it costs to know what a text is: seen before or for the first time, and to learn a side's catalogs.
import { Client } from 'pg'
import { statementsBy, type Statements } from '../src/reads/statements.js'
import { startPair } from '../test/support/servers.js'
import { printPart } from './print-part.js'
import { learning } from './reads/learning.js'
import { firstSight, memory, seenBefore, TEXTS } from './reads/texts.js'
import type { Part } from './report.js'

export async function reads(quick: boolean) {
  const pair = await startPair()
  try {
    console.error('memory')
    const texts = [
      memory('with the parser', await parsed()),
      memory('by words', () => statementsBy(undefined)),
    ]
    console.error('catalogs')
    const newer = await learning('new', pair.new.url(), quick)
    const older = await learning('old', pair.old.url(), quick)
    const { statements } = older
    const worded = statementsBy(undefined)
    const client = new Client(pair.old.url())
    await client.connect()
    await worded.learn('old', (text) => client.query(text))
    await client.end()
    console.error('texts')
    const seen = seenBefore(statements, quick ? 10 : 40)
    const sight = [
      ...firstSight('with the parser', statements, quick ? 500 : 5_000),
      ...firstSight('by words', worded, quick ? 500 : 5_000),
    ]
    const outcomes = [seen, sight, texts, [...older.outcomes, ...newer.outcomes]]
    const parts = PARTS.map((part, nr) => printPart({ ...part, outcomes: outcomes[nr] ?? [] }))
    return { parts }
  } finally {
    await pair.destroy()
  }
}

const PARTS: readonly Omit<Part, 'outcomes'>[] = [
  {
    title: 'What does it cost to know a text that was seen before?',
    how: `CPU time of one question whether a text only reads, for the same string and for one that is made anew each time, which has to be
hashed, as query builders make them.`,
    picture: { kind: 'bars', title: 'A text that was seen before', unit: 'ns', scale: 'log' },
    notes: ['At rest no text is looked at.'],
  },
  {
    title: 'What does it cost to know a text for the first time?',
    how: `CPU time a text by its length (within ten letters), with the parser \`libpg-query\`, and by words where that is not installed.`,
    picture: { kind: 'lines', title: 'First sight of a text', unit: 'µs', along: 'letters', scale: 'log' },
  },
  {
    title: 'What do known texts weigh?',
    how: `The heap before and after, each time after a full collection, for texts of some shapes with many constants.`,
    picture: { kind: 'bars', title: `${TEXTS.toLocaleString('en')} distinct texts`, unit: 'MB' },
  },
  {
    title: 'What does it cost to learn a schema?',
    how: `The catalogs of a side, at first and again where nothing has changed, when only their fingerprint is read. Time, with the server.`,
    picture: { kind: 'bars', title: 'To learn a schema', unit: 'ms', scale: 'log' },
    notes: ['The catalogs are read before a hold, in short slices.'],
  },
]

async function parsed(): Promise<() => Statements> {
  const parser = await import('libpg-query')
  await parser.loadModule()
  parser.parseSync('select 1')
  return () => statementsBy(parser)
}
