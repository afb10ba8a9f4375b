// Runs the data layer contract on pg-promise.
import { dataLayerContract } from '../data-layer.js'
import { pgPromiseLayer } from './pg-promise.js'

dataLayerContract(pgPromiseLayer)
