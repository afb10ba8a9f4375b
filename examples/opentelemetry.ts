// OpenTelemetry: the application's own API package is handed in; its SDK is registered before, as for everything else.
import { metrics, trace } from '@opentelemetry/api'
import { openTelemetry } from '../adapters/opentelemetry.js'
import type { Cutover } from '../src/index.js'

/** Call what it returns at shutdown, before the SDK's own. */
export const observe = (cutover: Cutover): (() => void) => openTelemetry(cutover, { metrics, trace })
