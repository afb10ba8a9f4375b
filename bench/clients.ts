// What a query takes through each library on the facade at rest, against the same library on its stock pool.
import pg from 'pg'
import { createCutover, memorySource, type Cutover } from '../src/index.js'
import { startPair } from '../test/support/servers.js'
import { ask } from './clients/ask.js'
import { MAX, NOTES, type Contender } from './clients/contender.js'
import { LIBRARIES, type Library } from './clients/libraries.js'
import { KINDS, MANY, partsOf, type Measured, type Pairs, type Sizes } from './clients/parts.js'
import { pairedBy } from './paired.js'
import { printPart } from './print-part.js'

// Short slices and many of them: what the machine does besides then falls into few.
const FULL: Sizes = { quads: 48, alone: 50, together: 500 }
const QUICK: Sizes = { quads: 5, alone: 50, together: 300 }

export async function clients(quick: boolean) {
  const pair = await startPair()
  try {
    const urls = { old: pair.old.url(), new: pair.new.url() }
    return await measureClients(urls, quick ? QUICK : FULL, console.log)
  } finally {
    await pair.destroy()
  }
}

export async function measureClients(
  urls: { readonly old: string; readonly new: string },
  sizes: Sizes,
  print: (line: string) => void,
  progress: (library: string) => void = console.error,
) {
  await prepare(urls.old)
  const cutover = createCutover({
    name: 'bench',
    old: { connectionString: urls.old, max: MAX },
    new: { connectionString: urls.new, max: MAX },
    source: memorySource('old'),
  })
  try {
    await cutover.ready()
    const measured: Measured[] = []
    for (const library of LIBRARIES) {
      progress(library.name)
      measured.push(...(await measure(library, cutover, urls.old, sizes)))
    }
    return { parts: partsOf(measured, sizes).map((part) => printPart(part, print)) }
  } finally {
    await cutover.end()
  }
}

async function prepare(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(`create table note (id int primary key, text text not null)`)
    await client.query(`insert into note select id, 'note ' || id from generate_series(1, ${NOTES}) id`)
    await client.query('analyze note')
  } finally {
    await client.end()
  }
}

/** What is put against this library, each with one caller and with many. */
async function measure(
  library: Library,
  cutover: Cutover,
  url: string,
  { quads, alone, together }: Sizes,
): Promise<Measured[]> {
  const opened: Contender[] = []
  const kept = async (contender: Promise<Contender>): Promise<Contender> => {
    opened.push(await contender)
    return contender
  }
  try {
    const [one, again] = [await kept(library.stock(url)), await kept(library.stock(url))]
    const slices = (contender: Contender) => ({
      alone: () => ask(contender, 1, alone),
      together: () => ask(contender, MANY, together),
    })
    const against = async (contender: Contender): Promise<Pairs> => {
      const [a, b] = [slices(one), slices(contender)]
      return {
        alone: await pairedBy(KINDS, quads, a.alone, b.alone),
        together: await pairedBy(KINDS, quads, a.together, b.together),
      }
    }
    const same = await against(again)
    const measured: Measured[] = []
    for (const other of library.others)
      measured.push({ other, same, added: await against(await kept(other.open(cutover, url))) })
    return measured
  } finally {
    for (const contender of opened) await contender.close()
  }
}
