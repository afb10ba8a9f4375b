// A script for the test of the servers: it starts one, gives word to its parent, and ends as it is told to.
import { startServer } from './servers.js'

export type Ending = 'wait' | 'starting' | 'stopped' | 'killed' | 'throw' | 'forget' | 'destroy'

const [major, ending, seeds] = process.argv.slice(2)
const starting = startServer(major === '15' ? 15 : 18, { seeds })
if (ending === 'starting') process.send?.('starting')
const server = await starting
if (ending === 'stopped') await server.stop()
if (ending === 'killed') await server.kill()
process.send?.('ready')
if (ending === 'throw') throw new Error('a script that fails')
if (ending === 'destroy') await server.destroy()
if (ending === 'forget' || ending === 'destroy') process.disconnect()
