// One connection of a Postgres source: opened once, every wait on it bounded, thrown away at the first doubt.
import pg from 'pg'

/** The server, or the way to it, has gone silent. */
export class NoAnswer extends Error {
  constructor(millis: number) {
    super(`no answer within ${millis} ms`)
  }
}

/** Keeps no process alive. One call at a time. */
export class PostgresLine {
  readonly #client: pg.Client
  readonly #answerMillis: number
  #lost: Error | undefined
  #interrupt: (why: Error) => void = () => {}
  #wake: () => void = () => {}
  #notified = false

  constructor(config: pg.ClientConfig, answerMillis: number) {
    this.#answerMillis = answerMillis
    this.#client = new pg.Client({ ...config, keepAlive: true })
    this.#client.on('error', (error) => this.#lose(error))
    this.#client.on('end', () => this.#lose(new Error('the connection was closed')))
    this.#client.on('notification', () => {
      this.#notified = true
      this.#wake()
    })
  }

  /** Connects and runs these statements, which have no parameters. */
  async open(session: string): Promise<void> {
    const connected = this.#client.connect()
    this.#unref()
    await this.#answer(connected)
    // Another socket may have taken the place of the first: TLS, or the next of several addresses.
    this.#unref()
    await this.#answer(this.#client.query(session))
  }

  async run<R extends pg.QueryResultRow>(text: string, values: readonly unknown[]): Promise<R[]> {
    return (await this.#answer(this.#client.query<R>(text, [...values]))).rows
  }

  /** Resolves at the next notification, at once if one came since this was last called, or else after this time. */
  async woken(millis: number): Promise<void> {
    const timer = setTimeout(() => this.#wake(), millis).unref()
    try {
      await this.#unlessLost<void>((resolve) => {
        this.#wake = resolve
        if (this.#notified) resolve()
      })
    } finally {
      clearTimeout(timer)
    }
    this.#notified = false
  }

  /** Ends the call that waits and the connection, whatever state it is in. Idempotent. */
  async close(): Promise<void> {
    // Says goodbye to a server that is idle, which would note a broken connection otherwise.
    if (!this.#lost) this.#client.end(() => {})
    this.#lose(new Error('it was closed here'))
    const { stream } = this.#client.connection
    if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
  }

  #unref(): void {
    const { stream } = this.#client.connection
    // A config may bring a stream that is no socket.
    if ('unref' in stream && typeof stream.unref === 'function') stream.unref()
  }

  async #answer<T>(work: Promise<T>): Promise<T> {
    let lastTurn: NodeJS.Immediate | undefined
    const silent = (): void => {
      // An answer may have come while this process was busy, and is read in this turn.
      lastTurn = setImmediate(() => this.#lose(new NoAnswer(this.#answerMillis)))
    }
    const timer = setTimeout(silent, this.#answerMillis).unref()
    try {
      return await this.#unlessLost<T>((resolve, reject) => void work.then(resolve, reject))
    } finally {
      clearTimeout(timer)
      clearImmediate(lastTurn)
    }
  }

  #unlessLost<T>(begin: (resolve: (value: T) => void, reject: (why: Error) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject
      begin(resolve, reject)
      if (this.#lost) reject(this.#lost)
    })
  }

  #lose(why: Error): void {
    this.#lost ??= why
    this.#client.connection.stream.destroy()
    this.#interrupt(this.#lost)
  }
}
