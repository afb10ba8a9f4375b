// Waits for what becomes of a wish, where nothing but a source says it.
import type { Cutover, CutoverEvent, EventMap, Phase } from '../src/index.js'

/** For the wish to be heard, which takes milliseconds; how long the move takes is another matter. */
const HEARD_MILLIS = 10_000

/** What became of the wish for a phase that is about to be spoken. */
export function followed(cutover: Cutover, to: Phase): Promise<CutoverEvent | undefined> {
  return new Promise((resolve, reject) => {
    let event: CutoverEvent | undefined
    const onCutover = (heard: CutoverEvent): void => {
      if (heard.outcome === 'done') event = heard
    }
    const settle = (end: () => void): void => {
      clearTimeout(deaf)
      cutover.off('wish', onWish)
      cutover.off('cutover', onCutover)
      end()
    }
    const onWish = ({ value, outcome, reason }: EventMap['wish'][0]): void => {
      if (outcome !== 'followed') settle(() => reject(new Error(`${value} was ${outcome}: ${reason}`)))
      else if (value === `"${to}"`) settle(() => resolve(event))
    }
    const deaf = setTimeout(() => {
      const { lastWish, whyNot = 'it told nothing' } = cutover.status().source
      if (lastWish !== to)
        settle(() =>
          reject(new Error(`the flip to "${to}" was not heard within ${HEARD_MILLIS} ms: ${whyNot}`)),
        )
    }, HEARD_MILLIS)
    cutover.on('wish', onWish)
    cutover.on('cutover', onCutover)
  })
}
