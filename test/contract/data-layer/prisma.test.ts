// Prisma is held to the contract of data layers.
import { dataLayerContract } from '../data-layer.js'
import { prisma } from './prisma.js'

dataLayerContract(prisma)
