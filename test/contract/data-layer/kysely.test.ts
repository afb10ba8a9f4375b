// Runs the data layer contract on Kysely.
import { dataLayerContract } from '../data-layer.js'
import { kyselyLayer } from './kysely.js'

dataLayerContract(kyselyLayer)
