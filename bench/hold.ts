// What 10,000 held queries weigh, how long their release takes, and how long it keeps the event loop.
import { startPair } from '../test/support/servers.js'
import { PARTS } from './hold/parts.js'
import { HELD, MAX, oneRound, type Configs, type Round } from './hold/rounds.js'
import { printPart } from './print-part.js'
import { stubConfig } from './stub-client.js'

const ROUNDS = 8

export async function hold(stub: boolean, quick: boolean) {
  const pair = stub ? undefined : await startPair()
  try {
    const configs: Configs = pair
      ? {
          old: { connectionString: pair.old.url(), max: MAX },
          new: { connectionString: pair.new.url(), max: MAX },
        }
      : { old: stubConfig(MAX), new: stubConfig(MAX) }
    const rounds: Round[] = []
    for (let round = 1; round <= (quick ? 1 : ROUNDS); round++) {
      console.error(`round ${round}`)
      rounds.push(await oneRound(configs))
    }
    const parts = PARTS.map((part) => printPart(part(rounds, stub)))
    const [weight, , loop] = parts.map(({ outcomes }) => outcomes[0]?.measured ?? Number.NaN)
    return {
      parts,
      heldBytes: Math.round((weight ?? Number.NaN) * HELD),
      longestBlockMillis: loop,
      queries: HELD,
      rounds: rounds.length,
    }
  } finally {
    await pair?.destroy()
  }
}
