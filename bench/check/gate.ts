// What a gate of the check is: a figure, the limit that it has to stay under, and what must not pass it.

export interface Gate {
  readonly what: string
  readonly unit: string
  /** Far enough from the figure that noise does not reach it, and nearer than any of the breaks. */
  readonly most: number
  /** Samples thrown away at first. */
  readonly warmUp: number
  /**
   * The same with something done to it, by name, and what has to come of that. One that passes shows that it is not the way in
   * which the others are brought in that fails them.
   */
  readonly variants: Readonly<Record<string, 'passes' | 'fails'>>
  /** As it is, or in one of the variants. `url` is a server for gates that need one; without it they start their own. */
  open(variant: string | undefined, url: string | undefined): Promise<OpenGate>
}

export interface OpenGate {
  sample(): number | Promise<number>
  close(): Promise<void>
}

/** The variant of this name, or what it is without any. */
export function chosen<T>(variants: Readonly<Record<string, T>>, name: string | undefined, asItIs: T): T {
  if (name === undefined) return asItIs
  const found = variants[name]
  if (found === undefined) throw new Error(`"${name}" is no variant of this gate`)
  return found
}
