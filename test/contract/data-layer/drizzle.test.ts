// Runs the data layer contract on Drizzle.
import { dataLayerContract } from '../data-layer.js'
import { drizzleLayer } from './drizzle.js'

dataLayerContract(drizzleLayer)
