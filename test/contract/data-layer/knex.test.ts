// Runs the data layer contract on Knex 3.3, which has pools handed in.
import { dataLayerContract } from '../data-layer.js'
import { knexLayer } from './knex.js'

dataLayerContract(knexLayer)
