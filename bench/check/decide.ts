// Decides whether a figure is above its limit, with as many samples as the noise of the machine demands.

export interface Rule {
  /** How many more samples have to lie on one side of the limit than on the other. */
  readonly lead: number
  /** Samples that are thrown away at first: what is not compiled yet tells nothing. */
  readonly warmUp: number
  /** No further sample is begun after this, unless there are fewer than {@link Rule.lead}. */
  readonly boundMillis: number
}

export interface Decision {
  readonly verdict: 'under' | 'over' | 'undecided'
  readonly samples: readonly number[]
}

/**
 * Wald's sequential test on signs. Each sample says one thing only, whether it is over the limit, so that it does not matter by
 * how much a machine that is busy with other things distorts it. Sampling ends when one side leads by `lead`.
 *
 * Where a sample of something sound is over the limit with the probability p, the gate fails it with 1 / (1 + ((1 - p) / p) ** lead):
 * for a lead of 10 and p = 1/4 that is one run in 59,000, for p = 1/10 one in three thousand million. The same holds the other
 * way round for something broken. What is undecided at the end of the time lies so near its limit that nothing was shown.
 */
export async function decide(
  most: number,
  sample: () => number | Promise<number>,
  { lead, warmUp, boundMillis }: Rule,
  now: () => number = () => performance.now(),
): Promise<Decision> {
  for (let turn = 0; turn < warmUp; turn++) await sample()
  const end = now() + boundMillis
  const samples: number[] = []
  let ahead = 0
  while (Math.abs(ahead) < lead && (samples.length < lead || now() < end)) {
    const value = await sample()
    samples.push(value)
    // What is no number is no proof of anything sound.
    ahead += value <= most ? -1 : 1
  }
  return { verdict: ahead <= -lead ? 'under' : ahead >= lead ? 'over' : 'undecided', samples }
}
