// Runs the data layer contract on TypeORM.
import { dataLayerContract } from '../data-layer.js'
import { typeormLayer } from './typeorm.js'

dataLayerContract(typeormLayer)
