// A source of your own: a phase as plain text behind a URL, asked for every five seconds.
import type { Source } from '../src/index.js'

export function urlSource(url: string, everyMillis = 5_000): Source {
  const closing = new AbortController()
  let timer: NodeJS.Timeout | undefined
  return {
    name: `url ${new URL(url).host}`, // never with a secret
    watch(report, { name }) {
      const ask = async (): Promise<void> => {
        const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(5_000)])
        try {
          const answer = await fetch(`${url}?migration=${encodeURIComponent(name)}`, { signal })
          if (!answer.ok) throw new Error(`the answer is ${answer.status}`)
          const value = (await answer.text()).trim()
          if (!closing.signal.aborted) report({ kind: 'value', value }) // garbage is refused for you
        } catch (error) {
          if (!closing.signal.aborted) report({ kind: 'unavailable', reason: String(error) })
        }
        // One question at a time, so that no answer overtakes another; unref, to keep no process alive.
        if (!closing.signal.aborted) timer = setTimeout(() => void ask(), everyMillis).unref()
      }
      return ask()
    },
    close() {
      closing.abort()
      clearTimeout(timer)
    },
  }
}
