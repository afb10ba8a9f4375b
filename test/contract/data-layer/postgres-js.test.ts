// Runs the data layer contract on postgres.js.
import { dataLayerContract } from '../data-layer.js'
import { postgresJsLayer } from './postgres-js.js'

dataLayerContract(postgresJsLayer)
