// Runs the data layer contract on MikroORM 6.
import { dataLayerContract } from '../data-layer.js'
import { mikroOrmLayer } from './mikro-orm.js'

dataLayerContract(mikroOrmLayer)
