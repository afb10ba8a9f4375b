// What a mirror by dual-write costs and how fast it is: capture, relay, backfill, lag, and waiting until both sides have it.
import { awaiting } from './dual-write/awaiting.js'
import { capture } from './dual-write/capture.js'
import { backfill } from './dual-write/backfill.js'
import { carrying } from './dual-write/carrying.js'
import { lag } from './dual-write/lag.js'
import { wake } from './dual-write/wake.js'
import { onPairs } from './on-pairs.js'

export const dualWrite = (quick: boolean) =>
  onPairs({ capture, carrying, backfill, lag, awaiting, wake }, quick)
