// The seed of whatever is random in a run: said on the command line or drawn there, printed, and kept with the figures.
let chosen = 1

export const MOST_SEED = 2 ** 32 - 1

export function useSeed(seed: number): void {
  chosen = seed
}

/** 1 where no run has chosen, as in a test. */
export const seed = (): number => chosen
