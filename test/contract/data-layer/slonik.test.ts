// Runs the data layer contract on Slonik.
import { dataLayerContract } from '../data-layer.js'
import { slonikLayer } from './slonik.js'

dataLayerContract(slonikLayer)
