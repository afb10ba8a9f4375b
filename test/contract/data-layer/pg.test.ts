// Runs the data layer contract on pg itself.
import { dataLayerContract } from '../data-layer.js'
import { pgLayer } from './pg.js'

dataLayerContract(pgLayer)
