// One connection that hears notifications: opened once, every wait on it bounded, thrown away at the first doubt.
import pg from 'pg'

/** For a connection to be made, and for each answer on it. */
const ANSWER_MILLIS = 10_000

// In SQL, since startup parameters are refused by some poolers, and a connection string's would come before ours.
const SESSION = `set application_name = 'pg-cutover listen'`
const WHO_ANSWERS = 'select pg_catalog.pg_backend_pid() as backend'

/** Keeps the process alive, as any connection of pg does. */
export class ListenConnection {
  /** Resolves with the reason once nothing can be heard any more, be it {@link close}. */
  readonly lost: Promise<Error>
  readonly #client: pg.Client
  #lose: (why: Error) => void = () => {}
  /** Whoever waits for an answer. */
  readonly #waiting = new Set<(why: Error) => void>()
  /** pg wants one statement at a time. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(config: pg.ClientConfig, heard: (notification: pg.Notification) => void) {
    this.lost = new Promise((resolve) => {
      this.#lose = resolve
    })
    this.#client = new pg.Client({ ...config, keepAlive: true })
    this.#client.on('error', (error) => this.#give(error))
    this.#client.on('end', () => this.#give(new Error('the connection was closed')))
    this.#client.on('notification', heard)
  }

  /**
   * Connects and listens to these channels. Resolves with whether the server itself answers: a pooler in between gives
   * other process ids.
   */
  async open(channels: readonly string[]): Promise<boolean> {
    const connected = this.#client.connect()
    this.#turn = connected
    await this.#answer(connected)
    await this.#run([SESSION, ...channels.map(listenSql)].join('; '))
    const { rows } = await this.#run<{ backend: number }>(WHO_ANSWERS)
    return rows[0]?.backend === (this.#client as pg.Client & { readonly processID: number | null }).processID
  }

  /** Resolves when the server will tell of what is notified on this channel from now on. */
  async listen(channel: string): Promise<void> {
    await this.#run(listenSql(channel))
  }

  async unlisten(channel: string): Promise<void> {
    await this.#run(`unlisten ${pg.escapeIdentifier(channel)}`)
  }

  /** When this resolves, everything that was notified before it was called has been heard. */
  async flush(): Promise<void> {
    await this.#run('select')
  }

  /** In whatever state it is. Idempotent. */
  async close(): Promise<void> {
    // Says goodbye to a server that is idle, which would note a broken connection otherwise.
    this.#client.end(() => {})
    this.#give(new Error('it was closed here'))
    const { stream } = this.#client.connection
    if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
  }

  #run<R extends pg.QueryResultRow>(text: string): Promise<pg.QueryResult<R>> {
    const result = this.#turn.then(() => this.#client.query<R>(text))
    this.#turn = result.catch((error: Error) => this.#give(error))
    return this.#answer(result)
  }

  #answer<T>(work: Promise<T>): Promise<T> {
    let lastTurn: NodeJS.Immediate | undefined
    const silent = (): void => {
      // An answer may have come while this process was busy, and is read in this turn.
      lastTurn = setImmediate(() => this.#give(new Error(`no answer within ${ANSWER_MILLIS} ms`)))
    }
    const timer = setTimeout(silent, ANSWER_MILLIS)
    let refuse: (why: Error) => void = () => {}
    return new Promise<T>((resolve, reject) => {
      refuse = reject
      this.#waiting.add(refuse)
      work.then(resolve, reject)
    }).finally(() => {
      this.#waiting.delete(refuse)
      clearTimeout(timer)
      clearImmediate(lastTurn)
    })
  }

  #give(why: Error): void {
    this.#lose(why)
    for (const refuse of this.#waiting) refuse(why)
    this.#client.connection.stream.destroy()
  }
}

const listenSql = (channel: string): string => `listen ${pg.escapeIdentifier(channel)}`
