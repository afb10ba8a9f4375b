// A source of your own: a phase as plain text behind a URL, asked for every five seconds.
import type { Source } from '../src/index.js'

export function urlSource(url: string, everyMillis = 5_000): Source {
  let timer: NodeJS.Timeout | undefined
  let asking = new AbortController()
  return {
    name: `url ${new URL(url).host}`, // never with a secret
    watch(report, { name }) {
      const ask = async (): Promise<void> => {
        asking.abort(new Error(`no answer within ${everyMillis} ms`)) // the question before, if it hangs
        const { signal } = (asking = new AbortController())
        try {
          const answer = await fetch(`${url}?migration=${encodeURIComponent(name)}`, { signal })
          if (!answer.ok) throw new Error(`the answer is ${answer.status}`)
          const value = (await answer.text()).trim()
          signal.throwIfAborted()
          report({ kind: 'value', value }) // garbage is refused for you
        } catch (error) {
          if (timer) report({ kind: 'unavailable', reason: String(error) })
        }
      }
      timer = setInterval(() => void ask(), everyMillis).unref() // keeps no process alive
      return ask()
    },
    close() {
      clearInterval(timer)
      timer = undefined
      asking.abort() // nothing is reported any more
    },
  }
}
