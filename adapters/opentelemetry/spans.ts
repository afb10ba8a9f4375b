// A span for each attempt to change the writer with one for each of its steps, made of the events with their own times.
import type { Cutover, CutoverEvent, StepEvent } from '../../src/index.js'
import { openTelemetryName } from '../observability/instruments.js'
import type {
  OpenTelemetryContext,
  OpenTelemetrySpan,
  OpenTelemetryTrace,
  OpenTelemetryTracer,
} from './api.js'

const STATUS_ERROR = 2

interface StepTaken {
  readonly event: StepEvent
  readonly began: number
  readonly ended: number
}

interface Attempt {
  readonly began: number
  /** Milliseconds since 1970 at which this process's monotonic clock was 0: a clock that is set must not bend the spans. */
  readonly zero: number
  /** What was under way where the move was asked for. It may have ended long ago, so it is linked to and no parent. */
  readonly asked: OpenTelemetrySpan | undefined
  readonly steps: StepTaken[]
}

/**
 * The spans of an attempt are made together when it has ended, so that one which never ends leaves none open. Returns what
 * ends it.
 */
export function traceCutovers(
  cutover: Cutover,
  trace: OpenTelemetryTrace,
  tracer: OpenTelemetryTracer,
): () => void {
  let attempt: Attempt | undefined

  const begin = (): Attempt => ({
    began: performance.now(),
    zero: Date.now() - performance.now(),
    asked: trace.getActiveSpan(),
    steps: [],
  })

  const hearStep = (event: StepEvent): void =>
    unharmed(() => {
      attempt ??= begin()
      if (event.millis === undefined) return
      const ended = performance.now()
      attempt.steps.push({ event, ended, began: Math.max(attempt.began, ended - event.millis) })
    })

  const hearEnd = (event: CutoverEvent): void =>
    unharmed(() => {
      const over = attempt ?? begin()
      attempt = undefined
      write(over, event)
    })

  function write({ began, zero, asked, steps }: Attempt, event: CutoverEvent): void {
    const [from = '', to = ''] = event.direction.split('→')
    const common = attributes({ migration: event.name, epoch: event.epoch, from, to })
    const whole = tracer.startSpan(
      openTelemetryName('cutover'),
      {
        startTime: zero + began,
        attributes: {
          ...common,
          ...attributes({
            outcome: event.outcome,
            'cutover.pause': event.pauseMillis / 1000,
            'held.longest': event.longestHeldMillis / 1000,
          }),
        },
        links: asked === undefined ? [] : [{ context: asked.spanContext() }],
      },
      new PlainContext(),
    )
    const inside = trace.setSpan(new PlainContext(), whole)
    for (const step of steps) {
      const { step: name, state, detail } = step.event
      const part = tracer.startSpan(
        openTelemetryName(`step.${name}`),
        { startTime: zero + step.began, attributes: { ...common, ...attributes({ step: name }) } },
        inside,
      )
      if (state === 'failed') part.setStatus(failure(detail))
      part.end(zero + step.ended)
    }
    if (event.outcome !== 'done') whole.setStatus(failure(event.reason))
    whole.end(zero + performance.now())
  }

  cutover.on('step', hearStep)
  cutover.on('cutover', hearEnd)
  return () => {
    cutover.off('step', hearStep)
    cutover.off('cutover', hearEnd)
  }
}

const failure = (message: string | undefined): { code: number; message?: string } =>
  message === undefined ? { code: STATUS_ERROR } : { code: STATUS_ERROR, message }

const attributes = (values: Record<string, string | number>): Record<string, string | number> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [openTelemetryName(name), value]))

function unharmed(work: () => void): void {
  try {
    work()
  } catch {
    // Thrown on, it would end the process as an uncaught exception; a span that cannot be made is lost.
  }
}

/** The root of a trace: nothing that happens to be active when an event comes has anything to do with it. */
class PlainContext implements OpenTelemetryContext {
  readonly #values: ReadonlyMap<symbol, unknown>

  constructor(values: ReadonlyMap<symbol, unknown> = new Map()) {
    this.#values = values
  }

  getValue(key: symbol): unknown {
    return this.#values.get(key)
  }

  setValue(key: symbol, value: unknown): PlainContext {
    return new PlainContext(new Map(this.#values).set(key, value))
  }

  deleteValue(key: symbol): PlainContext {
    return new PlainContext(new Map([...this.#values].filter(([known]) => known !== key)))
  }
}
