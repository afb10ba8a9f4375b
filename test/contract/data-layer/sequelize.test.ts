// Runs the data layer contract on Sequelize.
import { dataLayerContract } from '../data-layer.js'
import { sequelizeLayer } from './sequelize.js'

dataLayerContract(sequelizeLayer)
