// What comparing reads costs: the calls that are not picked, and the whole process at one comparison in a hundred.
import { printPart } from './print-part.js'
import type { Report } from './report.js'
import { onServers } from './shadow/on-servers.js'
import { onStub } from './shadow/on-stub.js'

export async function shadow(stub: boolean, quick: boolean): Promise<Report> {
  const parts = stub ? [await onStub(quick)] : await onServers(quick)
  return { parts: parts.map((part) => printPart(part)) }
}
