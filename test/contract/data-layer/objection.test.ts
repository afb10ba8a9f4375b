// Runs the data layer contract on Objection.
import { dataLayerContract } from '../data-layer.js'
import { objectionLayer } from './objection.js'

dataLayerContract(objectionLayer)
