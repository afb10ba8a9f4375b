// Opens the connections that a flip will need, and makes their first statements as quick as their hundredth.
import type { InnerClient, InnerPool } from './pg-internals.js'

// Opening one costs the server and this process about as much as fifty statements, and traffic goes on meanwhile.
const AT_ONCE = 2

const warmedBy = new WeakMap<InnerClient, string>()

/** Rejects if a connection could not be opened; a `text` that fails on one is no reason. */
export async function warmUp(inner: InnerPool, count: number, text: string | undefined): Promise<void> {
  // All stay out until the last is there, else the same one would be handed out again and again.
  const opened: InnerClient[] = []
  try {
    while (opened.length < count) {
      const batch = Array.from({ length: Math.min(AT_ONCE, count - opened.length) }, () => inner.connect())
      const settled = await Promise.allSettled(batch)
      for (const one of settled) if (one.status === 'fulfilled') opened.push(one.value)
      const failed = settled.find((one) => one.status === 'rejected')
      if (failed) throw failed.reason
    }
    if (text !== undefined) for (const client of opened) await once(client, text)
  } finally {
    for (const client of opened) client.release()
  }
}

async function once(client: InnerClient, text: string): Promise<void> {
  if (warmedBy.get(client) === text) return
  warmedBy.set(client, text)
  await client.query(text).catch(() => {})
}
