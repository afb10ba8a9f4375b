// What a fleet of members costs: the pause of all of them together, their traffic at rest, and how both grow with their number.
import { atRest } from './fleet/at-rest.js'
import { growth } from './fleet/growth.js'
import { wholePause } from './fleet/whole-pause.js'
import { onPairs } from './on-pairs.js'

export const fleet = (quick: boolean) => onPairs({ pause: wholePause, rest: atRest, scale: growth }, quick)
