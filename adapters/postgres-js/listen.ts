// `sql.listen` over the connection that the migration listens with, which goes along with every change of writer.
import type { Cutover } from '../../src/index.js'

interface Listened {
  unlisten(): Promise<void>
}

/**
 * Calls `hear` with each payload, and `onListen` once at the beginning and again after each gap: as with postgres.js, whose
 * own listener says so when it has connected anew.
 */
export async function listenOver(
  cutover: Cutover,
  channel: string,
  hear: (payload: string) => void,
  onListen?: () => void,
): Promise<Listened> {
  const listening = await cutover.listen(channel, (heard) => {
    if (heard.kind === 'notification') hear(heard.payload)
    else onListen?.()
  })
  onListen?.()
  return { unlisten: () => listening.close() }
}
