// The steps of a change of writer, for the reader of the story.

export const STEPS: Readonly<Record<string, string>> = {
  prepare: 'checks, fence made, sequences set, connections warm; nobody waits',
  hold: 'new writes wait',
  drain: 'what had begun is let finish',
  fence: 'the side being left refuses writes by itself',
  'catch-up': 'proof that the other side has every row',
  'stop-reads': 'reads wait as well',
  decide: 'the point of no return',
  open: 'the other side accepts writes; traffic goes on',
  reverse: 'the mirror is turned round: the way back',
}

export function stepLine(step: string, millis: number): string {
  return `${step.padEnd(10)} ${millis.toFixed(1).padStart(8)} ms   ${STEPS[step] ?? ''}`.trimEnd()
}
