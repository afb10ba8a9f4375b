// Shows a move as it happens: drawn over on a terminal, line by line elsewhere.
import type { Migration } from '../control/migration.js'
import type { EventMap, ProgressEvent, StepEvent } from '../events.js'
import { bar, bytes, columns, counted, printable, type Output } from './screen.js'

type Warning = EventMap['warning'][0]
type Rogues = EventMap['rogueWriters'][0]

export interface Timeline {
  readonly warnings: readonly Warning[]
  /** Of the last change of writer. */
  readonly rogues: Rogues | undefined
  /** What a terminal shows, for the final text to begin with; empty elsewhere, where it was said already. */
  readonly shown: readonly string[]
  /** Says something between the steps. */
  say(line: string): void
  end(): void
}

/** A pipe is told of a long copy this often. */
const PIPE_MILLIS = 5_000

interface Line {
  readonly step: string
  text: string
  state: StepEvent['state']
}

export function timeline(m: Migration, output: Output): Timeline {
  const { paint, terminal } = output
  const lines: Line[] = []
  const warnings: Warning[] = []
  const said: string[] = []
  let rogues: Rogues | undefined
  // What is over within seconds needs no word.
  let told = { step: '', text: '', at: performance.now() }

  const draw = (): void => output.show(drawn())
  const drawn = (): string[] => [
    ...columns(
      lines.map(({ step, text, state }): [string, string] => [
        step,
        state === 'done' ? paint.good(text) : state === 'failed' ? paint.bad(text) : text,
      ]),
    ),
    ...[...warnings.map(warningText), ...said].map((line) => paint.warn(line)),
  ]
  const set = (step: string, text: string, state: Line['state']): void => {
    const open = lines.find((line) => line.step === step && line.state === 'started')
    if (open) Object.assign(open, { text, state })
    else lines.push({ step, text, state })
    if (terminal) draw()
  }
  // A pipe would be told of each of many small advances else.
  const toPipe = (step: string, text: string, always: boolean): void => {
    if (terminal || (!always && performance.now() - told.at < PIPE_MILLIS)) return
    if (text !== told.text) output.say(`${step}  ${text}`)
    told = { step, text, at: performance.now() }
  }

  const listeners = {
    step: (event: StepEvent): void => {
      // Tried again: the steps of the attempt before tell nothing any more.
      if (event.state === 'started' && event.step === 'prepare') lines.length = 0
      const text = stepText(event)
      set(event.step, text, event.state)
      if (event.state !== 'started') toPipe(event.step, text, true)
    },
    progress: (event: ProgressEvent): void => {
      const text = progressText(event, terminal)
      set(event.step, text, 'started')
      toPipe(event.step, text, told.step === event.step && event.total > 0 && event.done >= event.total)
    },
    warning: (event: Warning): void => {
      if (warnings.some(({ message }) => message === event.message)) return
      warnings.push(event)
      if (terminal) draw()
      else output.say(warningText(event))
    },
    rogueWriters: (event: Rogues): void => {
      rogues = event
    },
  }
  m.events.on('step', listeners.step)
  m.events.on('progress', listeners.progress)
  m.events.on('warning', listeners.warning)
  m.events.on('rogueWriters', listeners.rogueWriters)
  return {
    warnings,
    get rogues() {
      return rogues
    },
    get shown() {
      return terminal ? drawn() : []
    },
    say(line) {
      said.push(line)
      if (terminal) draw()
      else output.say(line)
    },
    end() {
      m.events.off('step', listeners.step)
      m.events.off('progress', listeners.progress)
      m.events.off('warning', listeners.warning)
      m.events.off('rogueWriters', listeners.rogueWriters)
    },
  }
}

function stepText({ state, millis, detail }: StepEvent): string {
  if (state === 'started') return '…'
  const took = `${millis?.toFixed(millis < 10 ? 1 : 0) ?? '?'} ms`
  return detail === undefined ? took : `${took}  ${printable(detail)}`
}

function progressText({ step, detail, done, total }: ProgressEvent, draws: boolean): string {
  if (total <= 0) return `… ${detail}`
  const amount = (count: number): string => (step === 'copy' ? bytes(count) : counted(count))
  const share = `${amount(Math.min(done, total))} of ${amount(total)}, ${detail}`
  return draws ? `${bar(done, total)}  ${share}` : share
}

const warningText = ({ code, message }: Warning): string => `warning  ${code}: ${printable(message)}`
