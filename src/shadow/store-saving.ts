// Saves what was counted every few seconds, if anything was, and never disturbs anybody by it.
import type { Counting, ShadowStore } from './store.js'

const SAVE_MILLIS = 5_000
// An application that ends does not wait for a database that has gone.
const LAST_SAVE_MILLIS = 1_000
const TOUCH_MILLIS = 3_600_000

export interface SavingOptions {
  readonly counting: Counting
  readonly store: ShadowStore
  /** False while a change of writer is under way, whose statements must not wait behind ours. */
  readonly mayNow: () => boolean
  /** Told once for each row of failures. */
  readonly failed: (error: unknown) => void
}

export interface Saving {
  /** Saves what has changed and saves no more. Waits a second at most; never rejects. */
  stop(): Promise<void>
}

/** The first save is made at once, so that counts belong to the generation in which they began. Keeps no process alive. */
export function startSaving({ counting, store, mayNow, failed }: SavingOptions): Saving {
  let saved: number | undefined
  let savedAt = 0
  let failing = false
  let running: Promise<void> | undefined
  let stopped = false

  async function save(): Promise<void> {
    const { changes } = counting
    if (changes === saved && performance.now() - savedAt < TOUCH_MILLIS) return
    try {
      if ((await store.save(counting.kept())) === 'outdated') {
        counting.forget()
        saved = undefined
        return
      }
      saved = changes
      savedAt = performance.now()
      failing = false
    } catch (error) {
      // What goes on after the end fails since its connection was closed.
      if (!failing && !stopped) failed(error)
      failing = true
    }
  }

  function tick(): void {
    if (running || !mayNow()) return
    running = save().finally(() => {
      running = undefined
    })
  }

  const timer = setInterval(tick, SAVE_MILLIS).unref()
  tick()

  return {
    async stop() {
      clearInterval(timer)
      let impatience: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        impatience = setTimeout(resolve, LAST_SAVE_MILLIS)
      })
      const last = async (): Promise<void> => {
        await running
        if (mayNow()) await save()
      }
      await Promise.race([last(), late])
      clearTimeout(impatience)
      stopped = true
    },
  }
}
