// What the example of connect-pg-simple uses of packages that bring no types; a service installs their @types instead.
declare module 'express' {
  import type { RequestListener } from 'node:http'
  interface Request {
    readonly session: Record<string, unknown>
  }
  interface Response {
    json(body: unknown): void
  }
  export type Handler = (request: Request, response: Response, next: (error?: unknown) => void) => void
  interface Application extends RequestListener {
    use(handler: Handler): this
    get(path: string, handler: Handler): this
  }
  export default function express(): Application
}

declare module 'express-session' {
  import type { Handler } from 'express'
  export interface Store {
    readonly on: unknown
  }
  export default function session(options: {
    readonly store: Store
    readonly secret: string
    readonly resave: boolean
    readonly saveUninitialized: boolean
    readonly cookie: { readonly maxAge: number }
  }): Handler
}

declare module 'connect-pg-simple' {
  import type { Store } from 'express-session'
  import type { Pool } from 'pg'
  interface PgStore extends Store {
    close(): Promise<void>
  }
  export default function connectPgSimple(
    session: unknown,
  ): new (options: { readonly pool: Pool; readonly pruneSessionInterval?: number | false }) => PgStore
}
