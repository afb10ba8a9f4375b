// Runs the data layer contract on a Knex before 3.3.
import { dataLayerContract } from '../data-layer.js'
import { knexTarnLayer } from './knex-tarn.js'

dataLayerContract(knexTarnLayer)
