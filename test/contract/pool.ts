// The pool contract: what an application may expect of a pg.Pool, run on the original and on ours alike.
import { connectContract } from './pool/connect.js'
import { countsContract } from './pool/counts.js'
import { endContract } from './pool/end.js'
import { errorsContract } from './pool/errors.js'
import { eventsContract } from './pool/events.js'
import { hooksContract } from './pool/hooks.js'
import { identityContract } from './pool/identity.js'
import { lifetimeContract } from './pool/lifetime.js'
import { misuseContract } from './pool/misuse.js'
import { networkContract } from './pool/network.js'
import { optionsContract } from './pool/options.js'
import { queryContract } from './pool/query.js'
import { releaseContract } from './pool/release.js'
import { sessionsContract } from './pool/sessions.js'
import { submittablesContract } from './pool/submittables.js'
import { timeoutsContract } from './pool/timeouts.js'
import { valuesContract } from './pool/values.js'
import { createFixture } from './pool/fixture.js'
import type { Place, PoolFactory } from './pool/fixture.js'

const contracts = [
  connectContract,
  queryContract,
  misuseContract,
  submittablesContract,
  releaseContract,
  eventsContract,
  endContract,
  countsContract,
  sessionsContract,
  errorsContract,
  valuesContract,
  timeoutsContract,
  networkContract,
  lifetimeContract,
  hooksContract,
  optionsContract,
  identityContract,
]

export function poolContract(make: PoolFactory, place: Place): void {
  const fixture = createFixture(make, place)
  for (const contract of contracts) contract(fixture)
}
